"""Windows of a time series: a window class, `timeseries_dataset_from_array`, baselines, autoregression."""

import numpy as np
import tensorflow as tf

t = np.arange(300, dtype="float32")
df = np.stack([np.sin(t / 9), np.cos(t / 5), t / 300], -1)
column_indices = {"T": 0, "p": 1, "d": 2}
train_df, val_df = df[:200], df[200:]
train_mean, train_std = train_df.mean(0), train_df.std(0)
train_df, val_df = (train_df - train_mean) / train_std, (val_df - train_mean) / train_std


class WindowGenerator:
    def __init__(self, input_width, label_width, shift, label_columns=None):
        self.label_columns = label_columns
        self.input_width, self.label_width, self.shift = input_width, label_width, shift
        self.total_window_size = input_width + shift
        self.input_slice = slice(0, input_width)
        self.label_start = self.total_window_size - self.label_width
        self.labels_slice = slice(self.label_start, None)

    def split_window(self, features):
        inputs = features[:, self.input_slice, :]
        labels = features[:, self.labels_slice, :]
        if self.label_columns is not None:
            labels = tf.stack([labels[:, :, column_indices[name]] for name in self.label_columns], axis=-1)
        inputs.set_shape([None, self.input_width, None])
        labels.set_shape([None, self.label_width, None])
        return inputs, labels

    def make_dataset(self, data):
        data = np.array(data, dtype=np.float32)
        ds = tf.keras.utils.timeseries_dataset_from_array(
            data=data,
            targets=None,
            sequence_length=self.total_window_size,
            sequence_stride=1,
            shuffle=False,
            batch_size=32,
        )
        return ds.map(self.split_window)

    @property
    def train(self):
        return self.make_dataset(train_df)

    @property
    def val(self):
        return self.make_dataset(val_df)


wide_window = WindowGenerator(input_width=24, label_width=24, shift=1, label_columns=["T"])
print(wide_window.train.element_spec)
for example_inputs, example_labels in wide_window.train.take(1):
    print(f"Inputs shape (batch, time, features): {example_inputs.shape}", example_labels.shape)


class Baseline(tf.keras.Model):
    def __init__(self, label_index=None):
        super().__init__()
        self.label_index = label_index

    def call(self, inputs):
        if self.label_index is None:
            return inputs
        result = inputs[:, :, self.label_index]
        return result[:, :, tf.newaxis]


def compile_and_fit(model, window, patience=2):
    early_stopping = tf.keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, mode="min")
    model.compile(
        loss=tf.keras.losses.MeanSquaredError(),
        optimizer=tf.keras.optimizers.Adam(),
        metrics=[tf.keras.metrics.MeanAbsoluteError()],
    )
    return model.fit(window.train, epochs=2, validation_data=window.val, callbacks=[early_stopping])


baseline = Baseline(label_index=column_indices["T"])
baseline.compile(loss=tf.keras.losses.MeanSquaredError(), metrics=[tf.keras.metrics.MeanAbsoluteError()])
print(baseline.evaluate(wide_window.val, return_dict=True))
lstm_model = tf.keras.models.Sequential([tf.keras.layers.LSTM(8, return_sequences=True), tf.keras.layers.Dense(1)])
compile_and_fit(lstm_model, wide_window)
conv_window = WindowGenerator(input_width=3, label_width=1, shift=1, label_columns=["T"])
conv_model = tf.keras.Sequential(
    [tf.keras.layers.Conv1D(filters=8, kernel_size=(3,), activation="relu"), tf.keras.layers.Dense(1)]
)
compile_and_fit(conv_model, conv_window)


class ResidualWrapper(tf.keras.Model):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, inputs, *args, **kwargs):
        delta = self.model(inputs, *args, **kwargs)
        return inputs + delta


residual = ResidualWrapper(
    tf.keras.Sequential(
        [
            tf.keras.layers.GRU(8, return_sequences=True),
            tf.keras.layers.Dense(3, kernel_initializer=tf.initializers.zeros()),
        ]
    )
)
compile_and_fit(residual, WindowGenerator(24, 24, 1))

OUT_STEPS = 4
multi_window = WindowGenerator(input_width=12, label_width=OUT_STEPS, shift=OUT_STEPS)


class FeedBack(tf.keras.Model):
    def __init__(self, units, out_steps):
        super().__init__()
        self.out_steps = out_steps
        self.units = units
        self.lstm_cell = tf.keras.layers.LSTMCell(units)
        self.lstm_rnn = tf.keras.layers.RNN(self.lstm_cell, return_state=True)
        self.dense = tf.keras.layers.Dense(3)

    def warmup(self, inputs):
        x, *state = self.lstm_rnn(inputs)
        return self.dense(x), state

    def call(self, inputs, training=None):
        predictions = []
        prediction, state = self.warmup(inputs)
        predictions.append(prediction)
        for n in range(1, self.out_steps):
            x, state = self.lstm_cell(prediction, states=state, training=training)
            prediction = self.dense(x)
            predictions.append(prediction)
        predictions = tf.stack(predictions)
        return tf.transpose(predictions, [1, 0, 2])


feedback_model = FeedBack(units=8, out_steps=OUT_STEPS)
compile_and_fit(feedback_model, multi_window)
print(feedback_model(next(iter(multi_window.train))[0])[:2].numpy())


def windowed_dataset(series, window_size, batch_size, shuffle_buffer):
    dataset = tf.data.Dataset.from_tensor_slices(series)
    dataset = dataset.window(window_size + 1, shift=1, drop_remainder=True)
    dataset = dataset.flat_map(lambda window: window.batch(window_size + 1))
    dataset = dataset.shuffle(shuffle_buffer).map(lambda window: (window[:-1], window[-1]))
    return dataset.batch(batch_size).prefetch(1)


series = np.sin(np.arange(120) / 6).astype("float32")
lambdas = tf.keras.models.Sequential(
    [
        tf.keras.layers.Lambda(lambda x: tf.expand_dims(x, axis=-1), input_shape=[None]),
        tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(4, return_sequences=True)),
        tf.keras.layers.SimpleRNN(4),
        tf.keras.layers.Dense(1),
        tf.keras.layers.Lambda(lambda x: x * 100.0),
    ]
)
schedule = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 1e-6 * 10 ** (epoch / 20))
lambdas.compile(loss=tf.keras.losses.Huber(), optimizer=tf.keras.optimizers.SGD(learning_rate=1e-6, momentum=0.9))
lambdas.fit(windowed_dataset(series, 10, 16, 100), epochs=2, callbacks=[schedule])
