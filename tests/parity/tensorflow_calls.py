"""Calls of TensorFlow as scripts write them, and what TensorFlow 2.21 answers.

Each line of a group is an expression; each function of `PROGRAMS` is a few lines. `answer` gives what comes as plain
data: dtype (64 bits as 32), shape and values of tensors, "error" where the call fails. A Python with TensorFlow
and NumPy alone writes TensorFlow's answers to the file that the test reads:

    python tests/parity/tensorflow_calls.py
"""

# ruff: noqa: E501 - a line for each call

import json
import lzma
import pathlib
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "answers" / "test_tensorflow.json.xz"

DATA: dict[str, Any] = {
    "np": np,
    "T": np.array([[1, 2], [3, 4]], "float32"),
    "A": np.array([[1, -2, 0.5], [0, 4, -1]], "float32"),
    "C": np.arange(24, dtype="float32").reshape(2, 3, 4),
    "I": np.array([3, 1, 2], "int32"),
    "P": (np.arange(4 * 6 * 3) * 37 % 251).reshape(4, 6, 3).astype("uint8"),
    "F": ((np.arange(4 * 6 * 3) * 37 % 251) / 251).reshape(4, 6, 3).astype("float32"),
    "X": ((np.arange(2 * 5 * 6 * 2) * 7 % 11) - 5).reshape(2, 5, 6, 2).astype("float32"),
    "K": ((np.arange(3 * 2 * 2 * 3) * 5 % 7) - 3).reshape(3, 2, 2, 3).astype("float32"),
    "S": np.array([[4, 1], [1, 3]], "float32"),
}

GROUPS = {
    "ragged": """
R
R.shape
R2.shape
R.dtype
R.row_splits
R.flat_values
R.values
R2.values
R.nrows()
R.row_lengths()
R.to_list()
R.to_tensor()
R.to_tensor(default_value=-1)
R.to_tensor(shape=[None,1])
R.to_tensor(shape=[None,4])
R2.to_tensor()
R[0]
R[1:]
R[0,1]
R[:,0]
R[:,:1]
R2[:,0]
R+1
R+R
R==R
R>1
-R
tf.reduce_sum(R,axis=1)
tf.reduce_mean(tf.cast(R,tf.float32),axis=1)
tf.reduce_sum(R,axis=0)
tf.reduce_max(R,axis=1)
tf.reduce_sum(R)
tf.reduce_sum(R2,axis=2)
tf.concat([R,R],axis=1)
tf.concat([R,R],axis=0)
tf.stack([R,R],axis=0)
tf.square(R)
tf.gather(R,[2,0])
tf.gather([10,20,30,40],R)
tf.expand_dims(R,-1)
tf.map_fn(lambda r: tf.reduce_sum(r),R,fn_output_signature=tf.int32)
tf.strings.split(["a b","c"])
tf.strings.split(["a b","c"]).to_tensor()
tf.strings.split(["a b","c"]).row_lengths()
tf.strings.unicode_split(["ab","c"],"UTF-8")
tf.strings.unicode_decode(["ab","c"],"UTF-8")
tf.strings.bytes_split(["ab","c"])
tf.strings.length(W)
tf.strings.join([W,W])
tf.strings.reduce_join(W,axis=1)
tf.strings.reduce_join(W,axis=-1,separator=" ")
tf.strings.upper(W)
tf.strings.ngrams(W,2)
tf.strings.regex_replace(W,"a","z")
W.numpy()
R.numpy()
R2.numpy()
list(R)
isinstance(R,tf.RaggedTensor)
tf.ragged.range([2,3])
tf.ragged.range([2,3],[5,6])
tf.ragged.stack([[1],[2,3]])
tf.ragged.boolean_mask([[1,2],[3,4]],[[True,False],[True,True]])
tf.ragged.stack_dynamic_partitions([1,2,3],[0,1,0],2)
tf.ragged.segment_ids_to_row_splits([0,0,2])
tf.ragged.row_splits_to_segment_ids([0,2,2,3])
tf.RaggedTensor.from_row_splits([1,2,3],[0,2,3])
tf.RaggedTensor.from_row_splits([1,2,3],[0,2,4])
tf.RaggedTensor.from_row_splits([1,2,3],[0,2])
tf.RaggedTensor.from_row_lengths([1,2,3],[1,1])
tf.RaggedTensor.from_value_rowids([1,2,3],[0,0,2])
tf.RaggedTensor.from_value_rowids([1,2,3],[0,0,2],nrows=5)
tf.RaggedTensor.from_row_starts([1,2,3],[0,2])
tf.RaggedTensor.from_row_limits([1,2,3],[1,3])
tf.RaggedTensor.from_uniform_row_length([1,2,3,4],2)
tf.RaggedTensor.from_tensor([[1,0],[2,3]],padding=0)
tf.RaggedTensor.from_tensor([[1,0],[2,3]],lengths=[1,2])
tf.RaggedTensor.from_tensor([[1,0],[2,3]])
tf.RaggedTensor.from_nested_row_splits([1,2,3],[[0,2],[0,1,3]])
R.value_rowids()
R.bounding_shape()
R2.bounding_shape()
R.row_starts()
R.row_limits()
R2.nested_row_splits
R2.nested_row_lengths()
R2.merge_dims(0,1)
R2.merge_dims(1,2)
R.ragged_rank
R2.ragged_rank
R.to_sparse()
R.with_values([7,8,9])
tf.ragged.map_flat_values(tf.square,R)
tf.where(R>1,R,-R)
tf.one_hot(R,4)
tf.reverse(R,[1])
tf.zeros_like(R)
tf.ragged.constant([])
tf.ragged.constant([[],[]])
tf.ragged.constant([[1,2],[3,4]])
tf.ragged.constant([[1.5],[2]])
tf.ragged.constant([1,2])
tf.ragged.constant([1,[2]])
tf.ragged.constant([[1]],dtype=tf.float32)
tf.ragged.constant([[1,2],[3]],ragged_rank=1).shape
tf.ragged.constant([[[1,2],[3,4]],[[5,6]]],ragged_rank=1)
tf.ragged.constant([[[1,2],[3,4]],[[5,6]]],inner_shape=(2,)).shape
list(tf.data.Dataset.from_tensor_slices(R))
list(tf.data.Dataset.from_tensor_slices(R).batch(2))
list(tf.data.Dataset.range(4).map(lambda x: tf.range(x)).ragged_batch(2))
list(tf.data.Dataset.from_tensor_slices(R).map(lambda x: tf.reduce_sum(x)))
tf.RaggedTensor.from_tensor([[1,2]]).to_tensor()
R/2
R//2
R%2
R**2
tf.cast(R,tf.float32)
tf.equal(R,R)
tf.math.add(R,1)
tf.identity(R)
tf.ragged.constant([[1,2],[3]])+tf.constant([[10],[20]])
tf.nn.softmax(tf.cast(R,tf.float32))
tf.nn.relu(R)
R[-1].numpy()
tf.ragged.constant([['a','b'],['c']]).to_tensor()
tf.sparse.to_dense(R.to_sparse())
tf.is_tensor(R)
tf.reduce_any(R>1,axis=1)
tf.reduce_prod(R,axis=1)
tf.dtypes.cast(W,tf.string)
tf.nn.embedding_lookup(tf.eye(4),R)
R.get_shape()
R.to_tensor().shape
""",
    "records": """
P(ONE, {"y": tf.io.FixedLenFeature([2], tf.int64), "x": tf.io.FixedLenFeature([2], tf.float32), "s": tf.io.FixedLenFeature([], tf.string)})
list(P(ONE, {"y": tf.io.VarLenFeature(tf.int64), "x": tf.io.FixedLenFeature([2], tf.float32), "a": tf.io.RaggedFeature(tf.int64), "s": tf.io.VarLenFeature(tf.string)}))
P(ONE, {"x": tf.io.VarLenFeature(tf.float32), "q": tf.io.VarLenFeature(tf.string)})
tf.sparse.to_dense(P(ONE, {"s": tf.io.VarLenFeature(tf.string)})["s"], default_value="")
P(ONE, {"q": tf.io.FixedLenFeature([2], tf.int64, [7, 8])})
P(ONE, {"q": tf.io.FixedLenFeature([], tf.string, "")})
P(ONE, {"x": tf.io.FixedLenFeature((2, 1), tf.float32)})
P(ONE, {"z": tf.io.FixedLenFeature([1], tf.float32, [9.0])})
P(ONE, {"z": tf.io.VarLenFeature(tf.float32)})
P(ONE, {"x": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)})
P(ONE, {"x": tf.io.FixedLenSequenceFeature([2], tf.float32, allow_missing=True), "q": tf.io.FixedLenSequenceFeature([2], tf.float32, allow_missing=True)})
P(ONE, {"x": tf.io.RaggedFeature(tf.float32)})
P(THREE, {"x": tf.io.RaggedFeature(tf.float32, partitions=[tf.io.RaggedFeature.RowLengths("y")])})
P(THREE, {"r": tf.io.RaggedFeature(tf.float32, value_key="x", partitions=[tf.io.RaggedFeature.UniformRowLength(3)])})
P(ONE, {"sp": tf.io.SparseFeature("y", "x", tf.float32, 10)})
PE(ONE, {"x": tf.io.FixedLenFeature([2], tf.float32)})
PE([ONE, ONE], {"x": tf.io.FixedLenFeature([2], tf.float32), "y": tf.io.VarLenFeature(tf.int64)})
PE([ONE, TWO], {"x": tf.io.VarLenFeature(tf.float32)})
PE([ONE, TWO], {"x": tf.io.RaggedFeature(tf.float32)})
PE([ONE, TWO], {"x": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True, default_value=-1.0)})
PE(tf.constant([ONE, TWO]), {"s": tf.io.FixedLenFeature([], tf.string, default_value="none")})
tf.io.parse_single_sequence_example(SEQUENCE, {"n": tf.io.FixedLenFeature([], tf.int64)}, {"w": tf.io.VarLenFeature(tf.int64), "v": tf.io.FixedLenSequenceFeature([2], tf.float32)})
tf.io.parse_single_sequence_example(SEQUENCE, None, {"w": tf.io.RaggedFeature(tf.int64)})
tf.io.parse_single_sequence_example(SEQUENCE, {"n": tf.io.FixedLenFeature([], tf.int64)}, {"q": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)})
tf.io.parse_sequence_example([SEQUENCE, SEQUENCE], {"n": tf.io.FixedLenFeature([], tf.int64)}, {"w": tf.io.VarLenFeature(tf.int64), "v": tf.io.FixedLenSequenceFeature([2], tf.float32)})
E.FromString(ONE) == example(tf, x=[1.0, 2.5], y=[-3, 4], s=[b"ab"], z=[])
E.FromString(ONE).features.feature["x"].float_list.value[:]
E.FromString(ONE).features.feature["y"].int64_list.value[0]
E.FromString(ONE).features.feature["s"].bytes_list.value[0].decode()
E.FromString(ONE).features.feature["x"].WhichOneof("kind")
E.FromString(ONE).features.feature["nothing"].WhichOneof("kind")
E.FromString(ONE).features.feature["x"].HasField("float_list")
sorted(E.FromString(ONE).features.feature)
example(tf, x=[0.1]).features.feature["x"].float_list.value[0]
str(example(tf, s=[b'a"\\n\\xff']))
str(example(tf, x=[1.0, 0.1]))
example(tf, y=[2, -1]).SerializeToString()
example(tf, x=[2.0, -1.0]).SerializeToString()
str(E.FromString(SEQUENCE[:0]))
len(tf.train.SequenceExample.FromString(SEQUENCE).feature_lists.feature_list["w"].feature)
str(tf.train.SequenceExample.FromString(SEQUENCE).context)
tf.io.serialize_tensor(T).numpy()
tf.io.serialize_tensor(tf.constant(3, tf.uint8)).numpy()
tf.io.serialize_tensor(["a", "bcd"]).numpy()
tf.io.serialize_tensor(True).numpy()
tf.io.serialize_tensor(np.array([[1, 2]])).numpy()
tf.io.parse_tensor(tf.io.serialize_tensor(T), tf.float32)
tf.io.parse_tensor(tf.io.serialize_tensor(T), out_type="float32").shape
tf.io.parse_tensor(tf.io.serialize_tensor(["a", "bcd"]), tf.string)
tf.io.parse_tensor(tf.io.serialize_tensor(tf.constant([[1], [2]])), tf.int32)
""",
    "rarest": """
tf.ragged.stack([tf.constant([1,2]),tf.constant([3,4])],axis=1)
tf.ragged.stack([R,R],axis=1)
tf.ragged.stack([R,R],axis=-1)
tf.RaggedTensor.from_tensor(tf.constant([[[1,2],[3,4]],[[5,6],[7,8]]]),ragged_rank=2)
tf.RaggedTensor.from_tensor(tf.constant([[[1,0],[3,4]],[[5,0],[0,0]]]),padding=0,ragged_rank=2)
tf.RaggedTensor.from_tensor(tf.constant([[[1,2],[3,4]],[[5,6],[7,8]]]),lengths=([1,2],[1,2,0]))
tf.sets.intersection(tf.constant([[1,2,3],[4,4,5]]),tf.constant([[3,1,9],[4,7,8]]))
tf.sparse.to_dense(tf.sets.union(tf.constant([[1,2],[3,3]]),tf.constant([[2,5],[1,1]])))
tf.sets.difference(tf.constant([[1,2,3]]),tf.constant([[3,1,9]]))
tf.sets.difference(tf.constant([[1,2,3]]),tf.constant([[3,1,9]]),aminusb=False)
tf.sets.size(tf.sparse.from_dense([[1,2,2],[4,4,4]]))
tf.image.ssim_multiscale(tf.reshape(tf.range(180*180*3,dtype=tf.float32)%251,[1,180,180,3])/250,tf.reshape((tf.range(180*180*3,dtype=tf.float32)*7)%251,[1,180,180,3])/250,1.0)
tf.image.ssim_multiscale(tf.reshape(tf.range(97*95*3,dtype=tf.float32)%251,[1,97,95,3])/250,tf.reshape((tf.range(97*95*3,dtype=tf.float32)**1.01)%251,[1,97,95,3])/250,1.0,power_factors=[0.3,0.4,0.3])
tf.image.extract_glimpse(F[None],[2,2],[[0.0,0.0]])
tf.image.extract_glimpse(F[None],[2,3],[[0.2,-0.2]])
tf.image.extract_glimpse(F[None],[2,2],[[1.0,2.0]],centered=False,normalized=False)
tf.image.extract_glimpse(F[None],[2,2],[[0.0,0.0]],noise="zero")
tf.linalg.logm(tf.constant([[2.0,0.5],[0.5,1.0]],tf.complex64))
tf.linalg.lu_reconstruct(*tf.linalg.lu(tf.constant([[1.0,2.0],[3.0,4.5]])))
tf.linalg.lu_solve(*tf.linalg.lu(tf.constant([[1.0,2.0],[3.0,4.5]])),rhs=tf.constant([[1.0],[2.0]]))
tf.linalg.lu_matrix_inverse(*tf.linalg.lu(tf.constant([[1.0,2.0],[3.0,4.5]])))
tf.linalg.tridiagonal_solve(tf.constant([[1.0,1.0,0.0],[4.0,5.0,6.0],[0.0,2.0,1.0]]),tf.constant([1.0,2.0,3.0]))
tf.linalg.tridiagonal_solve(tf.constant([[4.0,1.0],[2.0,5.0]]),tf.constant([[1.0],[2.0]]),diagonals_format="matrix")
tf.linalg.tridiagonal_matmul(tf.constant([[1.0,1.0,0.0],[4.0,5.0,6.0],[0.0,2.0,1.0]]),tf.constant([[1.0],[2.0],[3.0]]))
tf.signal.idct(tf.constant([1.0,2.0,3.0,4.0]))
tf.signal.idct(tf.constant([1.0,2.0,3.0,4.0]),norm="ortho")
tf.signal.kaiser_window(8)
tf.signal.kaiser_window(5,beta=3.0)
tf.signal.vorbis_window(8)
tf.signal.kaiser_bessel_derived_window(8)
tf.signal.inverse_stft_window_fn(2)(6,dtype=tf.float32)
tf.signal.inverse_stft_window_fn(3,tf.signal.hamming_window)(7,dtype=tf.float32)
tf.math.abs(tf.signal.fft3d(tf.cast(C,tf.complex64)))
tf.math.abs(tf.signal.rfft3d(C))
tf.nn.dilation2d(X,filters=np.array([[[0.5,-1.0],[0.0,0.25]],[[1.0,0.0],[0.0,2.0]]],"float32"),strides=[1,1,1,1],padding="SAME",data_format="NHWC",dilations=[1,1,1,1])
tf.nn.dilation2d(X,filters=np.array([[[0.5,-1.0],[0.0,0.25]],[[1.0,0.0],[0.0,2.0]]],"float32"),strides=[1,2,2,1],padding="VALID",data_format="NHWC",dilations=[1,2,1,1])
tf.nn.erosion2d(X,filters=np.array([[[0.5,-1.0],[0.0,0.25]],[[1.0,0.0],[0.0,2.0]]],"float32"),strides=[1,1,1,1],padding="SAME",data_format="NHWC",dilations=[1,1,1,1])
tf.half
tf.double
tf.eigvals(tf.constant([[2.0,0.0],[0.0,1.0]]))
tf.keras.layers.ThresholdedReLU(theta=1.0)(T)
tf.errors.INVALID_ARGUMENT
tf.compat.v1.reduce_sum(T)
tf.compat.v1.nn.relu(A)
tf.compat.v2.square(T)
tf.experimental.numpy.sum(T)
tf.guarantee_const(T)
tf.strings.regex_replace("¿Está en casa?","[^ a-z.?!,¿]","")
tf.strings.regex_replace("¿Está?","[.?!,¿]",r" \\0 ")
tf.strings.regex_replace("día a día",r"\\w+","x")
tf.strings.regex_full_match("día","d.a")
tf.distribute.get_strategy().gather(T,axis=0)
""",
    "sparse": """
SP
SP.shape
SP.dense_shape
SP.dtype.name
SP.with_values([1.0, 2.0, 3.0])
tf.sparse.to_dense(SP)
tf.sparse.to_dense(SP, default_value=-1.0)
tf.sparse.to_dense(tf.SparseTensor([[0], [2]], ["a", "b"], [4]))
tf.sparse.from_dense(A)
tf.sparse.from_dense(["a", "", "b"])
tf.sparse.reorder(tf.SparseTensor([[1, 0], [0, 1]], [1, 2], [2, 2]))
tf.sparse.retain(SP, [True, False, True])
tf.sparse.map_values(tf.square, SP)
tf.sparse.add(SP, SP)
tf.sparse.add(SP, tf.ones([2, 3]))
tf.sparse.concat(0, [SP, SP])
tf.sparse.concat(axis=1, sp_inputs=[SP, SP])
tf.sparse.expand_dims(SP, 0)
tf.sparse.reshape(SP, [3, 2])
tf.sparse.transpose(SP)
tf.sparse.eye(2)
tf.sparse.reduce_sum(SP)
tf.sparse.reduce_sum(SP, axis=1)
tf.sparse.reduce_max(SP, axis=0)
tf.sparse.sparse_dense_matmul(SP, tf.ones([3, 2]))
tf.sparse.sparse_dense_matmul(SP, tf.ones([2, 2]), adjoint_a=True)
tf.sparse.softmax(SP)
tf.sparse.maximum(SP, tf.sparse.transpose(tf.sparse.transpose(SP)))
tf.sparse.to_indicator(tf.SparseTensor([[0, 0], [1, 0]], tf.constant([2, 0], tf.int64), [2, 1]), 4)
SP * 2.0
SP / [[1.0], [2.0]]
isinstance(SP, tf.SparseTensor)
tf.keras.layers.Dense(1, kernel_initializer="ones")(tf.sparse.to_dense(SP))
""",
    "rarer": """
tf.image.draw_bounding_boxes(I,B,[[1.,0.,0.]])[0,:,:,0]
tf.image.draw_bounding_boxes(I,B,None)[0,:,:,0]
tf.image.draw_bounding_boxes(I,B,[[1.,0.,0.],[0.,1.,0.]])[0,:,:,1]
tf.image.draw_bounding_boxes(np.zeros([1,6,6,1],"float32"),B,[[1.]])[0,:,:,0]
tf.image.draw_bounding_boxes(np.zeros([1,6,6,3],"uint8"),B,[[1.,0.,0.]])
tf.image.non_max_suppression(bx,sc,3,0.5)
tf.image.non_max_suppression_with_scores(bx,sc,3,0.5)
tf.image.non_max_suppression_with_scores(bx,sc,5,1.0,soft_nms_sigma=0.5)
tf.image.non_max_suppression_padded(bx,sc,4,0.5,pad_to_max_output_size=True)
tf.image.non_max_suppression_overlaps(np.array([[1,.8,.1],[.8,1,.2],[.1,.2,1]],"float32"),sc[:3],3,0.5)
tf.image.combined_non_max_suppression(bx[None,:,None,:],np.stack([sc,1-sc],-1)[None],2,3,0.5,0.1)
tf.image.combined_non_max_suppression(bx[None,:,None,:],np.stack([sc,1-sc],-1)[None],2,3,0.5,0.1,pad_per_class=True)
tf.image.combined_non_max_suppression(bx[None,:,None,:],np.stack([sc,1-sc],-1)[None],2,9,0.5,0.1,clip_boxes=False)
tf.image.is_jpeg('a')
tf.io.extract_jpeg_shape(tf.io.encode_jpeg(np.zeros((4,6,3),'uint8')))
tf.io.decode_and_crop_jpeg(tf.io.encode_jpeg(np.zeros((4,6,3),'uint8')),[1,2,2,3]).shape
tf.strings.to_hash_bucket_fast(["a","bb"],10)
tf.strings.to_hash_bucket(["a","bb","a longer text of many letters"],1000)
tf.strings.to_hash_bucket_strong(["a","bb"],10,[1,2])
tf.strings.unicode_transcode("a","UTF-8","UTF-16-BE")
tf.strings.unsorted_segment_join(["a","b","c"],[0,1,0],2,"-")
tf.strings.unicode_decode_with_offsets("aé","UTF-8")
tf.strings.unicode_split_with_offsets(["aé","b"],"UTF-8")
tf.nn.ctc_greedy_decoder(lg,[5])
tf.nn.ctc_greedy_decoder(lg,[5],merge_repeated=False)
tf.nn.ctc_greedy_decoder(lg,[5],blank_index=0)
tf.nn.ctc_beam_search_decoder(lg,[5],beam_width=4,top_paths=2)
tf.nn.ctc_loss([[0,1]],lg,[2],[5],blank_index=-1)
tf.nn.ctc_loss([[1,2]],lg,[2],[5])
tf.nn.ctc_loss(np.array([[1,2]],'int32'),np.swapaxes(lg,0,1),[2],[5],logits_time_major=False,blank_index=0)
tf.nn.ctc_loss(tf.sparse.from_dense([[1,2]]),lg,None,[5],blank_index=0)
tf.nn.collapse_repeated([[1,1,2,0]],[4])
tf.edit_distance(tf.sparse.from_dense([[1,2,3]]),tf.sparse.from_dense([[1,3]]))
tf.edit_distance(tf.sparse.from_dense([[1,2,3]]),tf.sparse.from_dense([[1,3]]),normalize=False)
tf.nn.local_response_normalization(np.arange(24.).reshape(1,2,2,6).astype('float32'))[0,0,0]
tf.nn.lrn(np.arange(24.).reshape(1,2,2,6).astype('float32'),depth_radius=2,bias=1.,alpha=.5,beta=.75)[0,0,0]
tf.nn.max_pool_with_argmax(np.arange(16.).reshape(1,4,4,1).astype('float32'),2,2,'VALID')
tf.nn.max_pool_with_argmax(np.arange(32.).reshape(2,4,4,1).astype('float32'),3,2,'SAME',include_batch_in_index=True)
tf.nn.conv_transpose(np.ones([1,2,2,1],'float32'),np.ones([2,2,1,1],'float32'),[1,4,4,1],2)[0,:,:,0]
tf.nn.conv1d_transpose(np.ones([1,2,1],'float32'),np.ones([2,1,1],'float32'),[1,4,1],2)[0,:,0]
tf.nn.conv3d_transpose(np.ones([1,2,2,2,1],'float32'),np.ones([2,2,2,1,1],'float32'),[1,4,4,4,1],[1,2,2,2,1]).shape
tf.nn.atrous_conv2d(np.ones([1,5,5,1],'float32'),np.ones([2,2,1,1],'float32'),2,'VALID').shape
tf.nn.normalize_moments(2.0,[2.0],[6.0],None)
tf.nn.sufficient_statistics([[1.,2.],[3.,4.]],[0])
tf.nn.embedding_lookup_sparse(tf.eye(4),tf.sparse.from_dense([[1,2],[3,0]]),None,combiner='mean')
tf.linalg.global_norm([[3.,4.]])
tf.linalg.lu([[4.,1.],[1.,3.]])
tf.linalg.sqrtm([[4.,1.],[1.,3.]])
tf.math.nextafter(1.0,2.0)
tf.math.approx_max_k([1.,3.,2.],2)
tf.math.zeta(2.,1.)
tf.math.polygamma(1.,2.)
tf.math.bessel_i0e(1.)
tf.math.special.expint(1.)
tf.math.is_strictly_increasing([1,2,2])
tf.math.is_non_decreasing([1,2,2])
tf.math.erfcinv(0.5)
tf.as_string([1.5,2])
tf.grad_pass_through(tf.round)(1.6)
tf.identity_n([1,2])
tf.argmax([[1,3],[4,2]],axis=1,output_type=tf.int32)
tf.random.stateless_gamma([2],seed=[1,2],alpha=1.).shape
tf.random.stateless_binomial([2],seed=[1,2],counts=3.,probs=1.)
tf.random.stateless_poisson([2],seed=[1,2],lam=[2.,3.]).dtype.name
tf.random.experimental.stateless_shuffle([1,1],seed=[1,2])
tf.debugging.assert_all_finite([1.],'m')
tf.config.get_soft_device_placement()
tf.is_symbolic_tensor(tf.constant(1))
tf.compat.dimension_value(3)
tf.nn.experimental.stateless_dropout(tf.ones([4]),0.5,seed=[1,2]).shape
tf.ragged.constant([[1]]).shape
tf.dtypes.complex(1.,2.)
tf.TensorShape([None])==tf.TensorShape([None])
tf.TensorArray(tf.float32,size=2).scatter([0,1],[1.,2.]).gather([1])
tf.nn.nce_loss(tf.ones([5, 2]), tf.zeros([5]), tf.constant([[1]], tf.int64), tf.ones([1, 2]), 2, 5, sampled_values=(tf.constant([2, 3], tf.int64), tf.constant([[0.5]]), tf.constant([0.3, 0.2])))
tf.nn.sampled_softmax_loss(tf.ones([5, 2]), tf.zeros([5]), tf.constant([[1]], tf.int64), tf.ones([1, 2]), 2, 5, sampled_values=(tf.constant([2, 3], tf.int64), tf.constant([[0.5]]), tf.constant([0.3, 0.2])))
tf.nn.sampled_softmax_loss(tf.ones([5, 2]), tf.zeros([5]), tf.constant([[2]], tf.int64), tf.ones([1, 2]), 2, 5, sampled_values=(tf.constant([2, 3], tf.int64), tf.constant([[0.5]]), tf.constant([0.3, 0.2])))
tf.random.log_uniform_candidate_sampler(tf.constant([[1], [2]], tf.int64), 1, 3, True, 9, seed=1)[1]
tf.random.uniform_candidate_sampler(tf.constant([[1]], tf.int64), 1, 3, True, 9, seed=1)[1:]
tf.random.fixed_unigram_candidate_sampler(tf.constant([[1]], tf.int64), 1, 2, False, 5, unigrams=[1.0, 2.0, 3.0, 4.0, 5.0], distortion=0.75)[1]
tf.linalg.lu(S)[0]
tf.math.real(tf.linalg.eigvals(S))
tf.unravel_index(tf.constant([5, 3]), [2, 3])
tf.Variable([1.0, 2.0]).scatter_add(tf.IndexedSlices([5.0, 1.0], [0, 0])).numpy()
tf.Variable([1.0, 2.0]).scatter_max(tf.IndexedSlices([5.0], [1])).numpy()
list(tf.data.Dataset.range(10).group_by_window(lambda x: x % 3, lambda k, d: d.batch(2), window_size_func=lambda k: k + 1))
list(tf.data.Dataset.from_tensor_slices([1.0, 0.0, 2.0]).map(lambda x: tf.debugging.check_numerics(1.0 / x, "m")).ignore_errors())
list(tf.data.Dataset.range(3).apply(tf.data.experimental.enumerate_dataset(5)))
list(tf.data.Dataset.range(3).apply(tf.data.experimental.map_and_batch(lambda x: x + 1, 2)))
list(tf.data.Dataset.range(3).apply(tf.data.experimental.shuffle_and_repeat(1, 2)))
list(tf.data.Dataset.range(3).apply(tf.data.experimental.dense_to_ragged_batch(2)))
list(tf.data.Dataset.range(4).apply(tf.data.experimental.parallel_interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(2), 2)))
tf.data.experimental.at(tf.data.Dataset.range(5), 3)
list(tf.data.experimental.from_list([(1, 2.0), (3, 4.0)]))
list(tf.data.Dataset.range(2).as_numpy_iterator())
list(tf.data.Dataset.from_tensor_slices([["a", "b"]]).as_numpy_iterator())
""",
    "making": """
tf.constant(3)
tf.constant(3.5)
tf.constant([1, 2.5])
tf.constant([1, 2], tf.float32)
tf.constant([1, 2], dtype="int64")
tf.constant(True)
tf.constant([])
tf.constant([[]])
tf.constant("plum")
tf.constant(["fig", "plum"])
tf.constant([["a"], ["b"]]).shape
tf.constant(0.5, shape=(2, 3))
tf.constant([1, 2, 3, 4], shape=[2, 2])
tf.constant([1, 2], shape=[3])
tf.constant(T, name="t")
tf.constant(np.float64(2))
tf.constant(np.arange(3))
tf.constant(1 + 2j)
tf.constant(1.5, dtype=tf.int32)
tf.constant([1, 2], dtype=tf.bool)
tf.constant(-1, dtype=tf.uint8)
tf.convert_to_tensor([1, 2, 3])
tf.convert_to_tensor(T, dtype=tf.float64)
tf.convert_to_tensor(tf.constant(1), dtype=tf.float32)
tf.convert_to_tensor([tf.constant(1.0), tf.constant(2.0)])
tf.convert_to_tensor([1, "a"])
tf.convert_to_tensor([[1], [2, 3]])
tf.convert_to_tensor(1, dtype_hint=tf.float32)
tf.convert_to_tensor([1, 2], dtype_hint=tf.float32)
tf.zeros(3)
tf.zeros([])
tf.zeros((2, 0))
tf.zeros([2, 2], tf.int32)
tf.zeros([2], dtype=tf.bool)
tf.zeros([2], dtype=tf.string)
tf.zeros(shape=[1, 2], name="z")
tf.zeros(tf.constant([1, 2]))
tf.zeros([-1])
tf.ones([2, 2], dtype=tf.int64)
tf.ones((3,), "float16")
tf.ones(tf.shape(T))
tf.ones([2], dtype=tf.bool)
tf.zeros_like(I)
tf.zeros_like([1, 2])
tf.zeros_like(T, dtype=tf.int32)
tf.zeros_like(["a", "b"])
tf.ones_like(A)
tf.ones_like(input=3)
tf.ones_like(2.5, dtype=tf.int32)
tf.fill([2, 3], 1)
tf.fill(dims=[2], value=0.5)
tf.fill([2], "x")
tf.fill([], True)
tf.range(5)
tf.range(0, 10, 3)
tf.range(start=3, limit=0, delta=-1)
tf.range(2.0)
tf.range(1, 2, 0.25)
tf.range(3, dtype=tf.float32)
tf.range(0)
tf.range(5, 2)
tf.range(tf.constant(4), dtype=tf.int64)
tf.range(1.0, 3)
tf.range(0, 3, 0)
tf.linspace(0.0, 1.0, 5)
tf.linspace(0, 10, 3)
tf.linspace(start=[0.0, 1.0], stop=[1.0, 3.0], num=3, axis=-1)
tf.linspace(0.0, 1.0, 1)
tf.eye(2)
tf.eye(2, 3)
tf.eye(num_rows=2, dtype=tf.int32)
tf.eye(2, batch_shape=[2])
tf.one_hot([0, 2], 3)
tf.one_hot(1, depth=3)
tf.one_hot([0, 3, -1], 3)
tf.one_hot([[0], [1]], 2, axis=0)
tf.one_hot([0, 1], 2, on_value=5.0, off_value=-1.0)
tf.one_hot([0, 1], 2, on_value=True, off_value=False)
tf.one_hot([0, 1], 2, dtype=tf.int32)
tf.one_hot(indices=I, depth=4, on_value=2, off_value=0, axis=-1)
tf.one_hot([0, 1], 2, on_value=2)
tf.one_hot([0.0], 2)
tf.meshgrid([1, 2], [3, 4, 5])
tf.meshgrid([1, 2], [3, 4], indexing="ij")
tf.sequence_mask([1, 3, 2])
tf.sequence_mask([1, 3], maxlen=4, dtype=tf.float32)
tf.sequence_mask(2, 3)
tf.sequence_mask([[1], [2]])
tf.identity(T)
tf.identity([1, 2])
tf.identity("x")
tf.stop_gradient(A)
tf.stop_gradient([1, 2])
""",
    "types": """
tf.cast(1.9, tf.int32)
tf.cast([-1.9, 2.5], tf.int32)
tf.cast([1, 0], tf.bool)
tf.cast(T, "float16")
tf.cast(x=[True, False], dtype=tf.float32)
tf.cast([0.0, 0.5, -1], bool)
tf.cast(300, tf.uint8)
tf.cast(-1, tf.uint8)
tf.cast(1 + 2j, tf.float32)
tf.cast(2, float)
tf.cast("1", tf.int32)
tf.cast(T, tf.float33)
tf.saturate_cast([300.0, -5.0], tf.uint8)
tf.saturate_cast([300, -5], tf.int8)
tf.bitcast(tf.constant(1.0), tf.int32)
tf.float32.name
tf.float32 == "float32"
tf.float32 == np.float32
tf.float32.is_floating
tf.int32.is_integer
tf.int32.max
tf.int8.min
tf.float16.max
tf.uint8.limits
tf.uint8.is_unsigned
tf.bool.is_bool
tf.complex64.is_complex
tf.float32.size
tf.float32.as_numpy_dtype is np.float32
tf.string.as_numpy_dtype is object
tf.bool.as_numpy_dtype(1)
tf.float32.base_dtype == tf.float32
tf.float32.is_compatible_with(tf.float32)
tf.complex64.real_dtype == tf.float32
tf.as_dtype("int32") == tf.int32
tf.as_dtype(np.float32) == tf.float32
tf.as_dtype(float) == tf.float32
tf.as_dtype(int) == tf.int32
tf.as_dtype("nonsense")
tf.dtypes.as_dtype("float32").name
tf.dtypes.cast(1.5, tf.int32)
tf.dtypes.float32.name
repr(tf.float32)
str(tf.int32)
tf.constant(1.0).dtype == tf.float32
tf.constant(1.0).dtype is tf.float32
tf.constant(1.0).dtype in (tf.float32, tf.float16)
tf.constant(1.0).dtype.name
tf.constant("a").dtype == tf.string
tf.constant([1.0]).dtype.is_floating
tf.constant([True]).dtype == tf.bool
{tf.float32: 1}[tf.constant(1.0).dtype]
tf.TensorShape([1, 2])
tf.TensorShape([None, 2])
tf.TensorShape(None).rank
tf.TensorShape(None)
tf.TensorShape([])
tf.TensorShape(3)
tf.TensorShape([1, None]).as_list()
tf.TensorShape([2, 3]).num_elements()
tf.TensorShape([2, None]).num_elements()
tf.TensorShape([2, 3]).rank
tf.TensorShape([2, 3]).ndims
tf.TensorShape([2, 3]).dims is not None
tf.TensorShape([2, 3])[0]
tf.TensorShape([2, 3, 4])[1:]
tf.TensorShape([2, 3, 4])[-1]
tf.TensorShape([2]).concatenate([3])
tf.TensorShape([2]) + [3]
[1] + tf.TensorShape([3])
tf.TensorShape([2, 3]) == [2, 3]
tf.TensorShape([2, 3]) == (2, 3)
tf.TensorShape([None, 3]).is_compatible_with([2, 3])
tf.TensorShape([None, 3]).is_compatible_with([2, 4])
tf.TensorShape([None, 3]).merge_with([2, None])
tf.TensorShape([None, 3]).is_fully_defined()
tf.TensorShape([2, 3]).with_rank(2)
tf.TensorShape([2, 3]).with_rank(3)
tf.TensorShape([2, 3]).assert_has_rank(2)
tf.TensorShape([2, 3]).assert_is_compatible_with([3, 3])
list(tf.TensorShape([2, 3]))
tuple(tf.TensorShape([2, 3]))
len(tf.TensorShape([2, 3]))
str(tf.TensorShape([2, None]))
repr(tf.TensorShape([2, None]))
tf.constant(T).shape
tf.constant(T).shape == (2, 2)
tf.constant(T).shape == [2, 2]
tf.constant(T).shape[0]
tf.constant(T).shape.as_list()
tf.constant(T).shape.rank
tf.constant(T).get_shape().as_list()
tf.constant(T).ndim
tf.constant(T).numpy()
tf.constant(1).numpy()
tf.constant("a").numpy()
tf.constant(["a", "b"]).numpy().tolist()
tf.constant(T).device is None
tf.TensorSpec([None, 2]).dtype == tf.float32
tf.TensorSpec(shape=(2,), dtype=tf.int32, name="x").name
tf.TensorSpec([None, 2]).shape
tf.TensorSpec([1], tf.int32) == tf.TensorSpec([1], tf.int32)
tf.TensorSpec([1], tf.int32) == tf.TensorSpec([2], tf.int32)
tf.TensorSpec.from_tensor(tf.constant(T)).shape
tf.TensorSpec([None, 2]).is_compatible_with(tf.constant(T))
tf.TensorSpec(None).shape
repr(tf.TensorSpec([None, 2], tf.float32, name="x"))
tf.is_tensor(tf.constant(1))
tf.is_tensor(T)
tf.is_tensor(1.0)
tf.is_tensor(tf.Variable(1))
tf.is_tensor("a")
tf.is_tensor(tf.constant("a"))
isinstance(tf.constant(1), tf.Tensor)
isinstance(tf.constant("a"), tf.Tensor)
isinstance(T, tf.Tensor)
tf.shape(T)
tf.shape(3.0)
tf.shape([[1, 2, 3]])
tf.shape(["a", "b"])
tf.shape(T, out_type=tf.int64)
tf.shape(input=T, name="s")[-1]
tf.shape(C)[1:].numpy()
tf.size(T)
tf.size(3)
tf.size([])
tf.size(["a", "b"])
tf.rank(C)
tf.rank(1.0)
tf.rank([[1]])
tf.rank(["a"])
""",
    "operators": """
tf.constant(3) + 2
tf.constant(3) + 2.5
tf.constant(3.0) + 2
tf.constant(1) + tf.constant(1.0)
tf.constant(1.0) * np.float64(2)
tf.constant([1.0, 2.0]) * [3.0, 4.0]
tf.constant([1, 2]) * 1.5
2 ** tf.constant(3)
tf.constant(7) / 2
tf.constant(7) // 2
tf.constant(-7) // 2
tf.constant(-7) % 3
tf.constant(7.5) % 2
-tf.constant(2)
abs(tf.constant(-2.5))
~tf.constant([True, False])
tf.constant([True]) & tf.constant([False])
tf.constant(True) | True
tf.constant([1, 2]) < 2
tf.constant([1, 2]) == [1, 3]
tf.constant([1, 2]) != 2
tf.constant(T) @ T
T @ tf.constant(T)
bool(tf.constant(1) == 1)
int(tf.constant(3.7))
float(tf.constant(3))
len(tf.constant([1, 2, 3]))
len(tf.constant(1))
[int(x) for x in tf.constant([1, 2])]
list(tf.constant(1))
f"{tf.constant(1.5):.2f}"
"%.1f" % tf.constant(1.5)
tf.constant(C)[0]
tf.constant(C)[..., 1]
tf.constant(C)[:, -1, ::2]
tf.constant(C)[0, tf.newaxis, 1]
tf.constant(C)[::-1, 0, 0]
tf.constant(C)[tf.constant(1)][0]
tf.constant([1, 2, 3])[tf.constant([True, False, True])]
tf.constant([1, 2])[5]
tf.constant([1, 2, 3])[1:10]
tf.constant(["a", "b"])[1]
tf.constant(["a", "b"]) == "a"
tf.constant("a") + "b"
tf.constant([1]) in [1]
tf.constant(1).ref() == tf.constant(1).ref()
hash(tf.constant(1))
np.array(tf.constant(T)) + 1
np.mean(tf.constant(T))
np.argmax(tf.constant([1.0, 3.0]))
tf.constant([1.0, 2.0], tf.float16) + tf.constant(1.0)
tf.constant(T).set_shape([2, 2])
tf.constant(T).set_shape([2, 3])
tf.constant([0.1, 0.2]) + tf.constant([1, 2])
tf.constant("a") < "b"
tf.constant(T).numpy().tolist()
""",
    "shapes": """
tf.reshape(C, [-1])
tf.reshape(C, (4, -1)).shape
tf.reshape(tensor=[1, 2, 3, 4], shape=[2, 2])
tf.reshape(C, [-1, tf.shape(C)[-1]]).shape
tf.reshape([7], [])
tf.reshape(["a", "b"], [2, 1])
tf.reshape(C, 24).shape
tf.reshape(C, [5, -1])
tf.reshape(C, [-1, -1])
tf.reshape([], [0, 3]).shape
tf.expand_dims(T, 0)
tf.expand_dims(T, axis=-1)
tf.expand_dims([1, 2], 1)
tf.expand_dims(3, 0)
tf.expand_dims("a", 0)
tf.expand_dims(T, 5)
tf.expand_dims(T)
tf.squeeze([[[1], [2]]])
tf.squeeze([[[1], [2]]], axis=0)
tf.squeeze([[[1], [2]]], [0, 2])
tf.squeeze([[[1], [2]]], axis=-1)
tf.squeeze(T, 0)
tf.squeeze(input=[[1]])
tf.squeeze([["a"]])
tf.transpose(T)
tf.transpose(C, [0, 2, 1])
tf.transpose(C, perm=(2, 0, 1)).shape
tf.transpose([1, 2])
tf.transpose([[1 + 2j]], conjugate=True)
tf.transpose([["a", "b"]])
tf.transpose(C, [0, 1])
tf.concat([T, T], 0)
tf.concat([T, T], axis=-1)
tf.concat(values=[[1], [2, 3]], axis=0)
tf.concat([["a"], ["b"]], 0)
tf.concat([T, I], 0)
tf.concat([[1], [2.5]], 0)
tf.concat([[1.0], [2]], 0)
tf.concat([1, 2], 0)
tf.concat([T], 0)
tf.concat(T, 0)
tf.concat([tf.zeros([0, 2]), T], 0)
tf.concat([T, tf.zeros([3, 2])], 1)
tf.stack([1, 2])
tf.stack([T, T], axis=-1)
tf.stack([T, T], -2).shape
tf.stack([[1, 2], [3.0, 4.0]])
tf.stack(["a", "b"])
tf.stack([T, I])
tf.stack([])
tf.stack(values=[tf.constant(1.0), 2])
tf.stack([1, 2.5])
tf.unstack(T)
tf.unstack(C, axis=-1)[3]
tf.unstack(T, num=2, axis=1)
tf.unstack(T, num=3)
tf.unstack(["a", "b"])
tf.split(T, 2)
tf.split(T, num_or_size_splits=2, axis=1)
tf.split(C, [1, 3], axis=-1)[1].shape
tf.split(C, [1, -1], 2)[1].shape
tf.split([1, 2, 3], 2)
tf.split([1, 2, 3], [1, 1])
tf.split([1, 2, 3], [-1, 1, -1])
tf.split(["a", "b"], 2)
tf.tile([1, 2], [2])
tf.tile(T, (1, 2))
tf.tile(T, multiples=[2, 1])
tf.tile(T, [2])
tf.tile(["a"], [2])
tf.repeat([1, 2], 2)
tf.repeat([1, 2], [2, 1])
tf.repeat(T, repeats=2, axis=0)
tf.repeat(T, [1, 2], axis=1)
tf.repeat(3, 2)
tf.repeat(["a", "b"], 2)
tf.repeat(T, 2)
tf.pad([1, 2], [[1, 2]])
tf.pad(T, [[0, 1], [1, 0]], constant_values=9)
tf.pad(T, tf.constant([[1, 1], [0, 0]]), "REFLECT")
tf.pad(T, [[1, 1], [0, 0]], mode="symmetric")
tf.pad(T, [[0, 0]])
tf.pad(["a"], [[1, 0]])
tf.pad(I, [[1, 1]], constant_values=-1)
tf.reverse(T, [0])
tf.reverse(T, axis=[-1, 0])
tf.reverse([1, 2, 3], [0])
tf.reverse(["a", "b"], [0])
tf.reverse(T, 0)
tf.roll([1, 2, 3], 1, 0)
tf.roll(T, shift=[1, -1], axis=[0, 1])
tf.roll(T, 1, -1)
tf.slice(C, [0, 1, 2], [1, 2, 2])
tf.slice([1, 2, 3], begin=[1], size=[-1])
tf.slice([1, 2, 3], [1], [5])
tf.slice(["a", "b"], [1], [1])
tf.strided_slice([1, 2, 3, 4], [0], [4], [2])
tf.strided_slice([1, 2, 3, 4], [3], [0], [-1])
tf.broadcast_to([1, 2], [2, 2])
tf.broadcast_to(3, (2,))
tf.broadcast_to([1, 2], [3])
tf.broadcast_to("a", [2])
tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([1, 3]))
tf.broadcast_dynamic_shape([2, 1], [1, 3])
tf.ensure_shape(T, [2, 2])
tf.ensure_shape(tf.constant(T), [None, 2])
tf.ensure_shape(tf.constant(T), [None, 3])
tf.shape_n([T, I])
tf.space_to_batch([[[[1], [2]], [[3], [4]]]], [2, 2], [[0, 0], [0, 0]])
tf.batch_to_space([[[[1]]], [[[2]]]], [1, 2], [[0, 0], [0, 0]])
""",
    "looking up": """
tf.gather([1, 2, 3], 1)
tf.gather([1, 2, 3], [2, 0])
tf.gather(T, [1], axis=-1)
tf.gather(params=T, indices=[[0, 1]], axis=1)
tf.gather(C, [[0], [2]], batch_dims=1)
tf.gather(C, [[0], [2]], axis=2, batch_dims=1)
tf.gather(C, [[0], [2]], axis=-1, batch_dims=-1)
tf.gather(["a", "b"], [1, 1])
tf.gather([1, 2], [5])
tf.gather([1, 2], [-1])
tf.gather([1, 2], [0.0])
tf.gather(T, [])
tf.gather_nd(T, [[0, 1], [1, 1]])
tf.gather_nd(T, [1])
tf.gather_nd(T, [[1]])
tf.gather_nd(C, [[0, 1]])
tf.gather_nd(C, [[1], [0]], batch_dims=1)
tf.gather_nd(["a", "b"], [[1]])
tf.gather_nd(T, [[5, 5]])
tf.where([True, False, True])
tf.where([[True, False], [False, True]])
tf.where([1, 0, 3])
tf.where([True, False], [1, 2], [3, 4])
tf.where(T > 2, T, 0)
tf.where(T > 2, 1.0, 0.0)
tf.where(T > 2, x=1, y=0)
tf.where(True, T, -T)
tf.where([True, False], ["a", "b"], "")
tf.where([[True], [False]], T, [[9.0, 8.0]])
tf.where([1, 0], 1.0, 2.0)
tf.where([True], 1)
tf.where([True], 1, 2.5)
tf.where([True], tf.constant(1), 2.5)
tf.where([True], 1.5, 2)
tf.boolean_mask([1, 2, 3], [True, False, True])
tf.boolean_mask(T, T > 1)
tf.boolean_mask(T, mask=[True, False], axis=1)
tf.boolean_mask(C, [[True, False, False], [False, True, True]])
tf.boolean_mask(["a", "b"], [False, True])
tf.boolean_mask([1, 2], [True])
tf.boolean_mask([1, 2], [1, 0])
tf.sort([3, 1, 2])
tf.sort(A, axis=0)
tf.sort(A, direction="DESCENDING")
tf.sort(I, direction="UP")
tf.argsort([3, 1, 2])
tf.argsort(A, axis=-1, direction="DESCENDING")
tf.argsort([1, 1, 0], direction="DESCENDING", stable=True)
tf.argsort([3, 1, 2], 0, "ASCENDING", True)
tf.unique([3, 1, 3])
tf.unique(["b", "a", "b"])
tf.unique(x=[1, 1]).y
tf.unique(T)
tf.unique_with_counts([3, 1, 3])
tf.unique_with_counts([3, 1, 3]).count
tf.searchsorted([1, 3, 5], [2, 3])
tf.searchsorted([1, 3, 5], [3], side="right")
tf.searchsorted([[1, 3], [2, 4]], [[2], [4]])
tf.scatter_nd([[1], [3]], [9, 8], [5])
tf.scatter_nd([[0], [0]], [1, 2], shape=[2])
tf.scatter_nd([[1]], [[1.0, 2.0]], [2, 2])
tf.tensor_scatter_nd_update([1, 2, 3], [[0], [2]], [7, 8])
tf.tensor_scatter_nd_update(T, indices=[[0]], updates=[[7.0, 8.0]])
tf.tensor_scatter_nd_update(["a", "b"], [[0]], ["z"])
tf.tensor_scatter_nd_add([1, 2], [[0], [0]], [1, 1])
tf.tensor_scatter_nd_sub([1, 2], [[0], [0]], [1, 1])
tf.tensor_scatter_nd_max([1, 2], [[0]], [5])
tf.tensor_scatter_nd_min([1, 2], [[0]], [-5])
tf.dynamic_partition([1, 2, 3], [0, 1, 0], 2)
tf.dynamic_stitch([[0, 2], [1]], [[1, 3], [2]])
tf.reverse_sequence([[1, 2, 3], [4, 5, 6]], [2, 3], seq_axis=1, batch_axis=0)
tf.nn.embedding_lookup(T, [1, 0])
tf.nn.embedding_lookup(params=T, ids=[[1]])
tf.histogram_fixed_width([0.0, 0.4, 1.0], [0.0, 1.0], nbins=2)
tf.histogram_fixed_width_bins([0.0, 0.4, 1.0, 5.0], [0.0, 1.0], nbins=2)
tf.truncatediv(-7, 2)
tf.truncatemod(-7, 3)
""",
    "math": """
tf.abs([-1, 2])
tf.abs(-1.5)
tf.abs(3 + 4j)
tf.add(1, 2)
tf.add([1, 2], 3, name="a")
tf.add(x=T, y=1)
tf.add(T, I)
tf.add(1, 2.5)
tf.add("a", "b")
tf.add_n([T, T])
tf.add_n([1, 2, 3])
tf.add_n(inputs=[[1.0], [2.0]])
tf.add_n([])
tf.subtract(5, [1, 2])
tf.multiply(T, 2)
tf.multiply(T, tf.constant(2))
tf.multiply(x=2, y=3.0)
tf.divide(7, 2)
tf.divide([7.0], 2)
tf.truediv(7, 2)
tf.math.floordiv(-7, 2)
tf.math.floordiv(-7.5, 2)
tf.math.floormod(-7, 3)
tf.math.mod(7, -3)
tf.math.divide_no_nan(1.0, 0.0)
tf.math.divide_no_nan([1.0, 4.0], [0.0, 2.0])
tf.math.divide_no_nan(1, 0)
tf.math.multiply_no_nan(np.float32("nan"), 0.0)
tf.math.reciprocal(4.0)
tf.math.reciprocal_no_nan([0.0, 4.0])
tf.math.xdivy([0.0, 1.0], [0.0, 2.0])
tf.math.xlogy([0.0, 1.0], [0.0, 2.0])
tf.math.xlog1py([0.0, 1.0], [-1.0, 2.0])
tf.pow(2, 3)
tf.pow(2.0, [1, 2])
tf.pow(T, 0.5)
tf.pow(2, -1)
tf.sqrt(4.0)
tf.sqrt(T)
tf.sqrt(4)
tf.sqrt([4, 9])
tf.exp([0.0, 1.0])
tf.exp(1)
tf.math.log([1.0, 2.0])
tf.math.log(0.0)
tf.math.log(2)
tf.math.log1p(1.0)
tf.math.expm1([1.0])
tf.square([1, -2])
tf.square(x=1.5)
tf.math.rsqrt(4.0)
tf.math.rsqrt(4)
tf.math.sign([-2.0, 0.0, 3.0])
tf.sign([-2, 0])
tf.round([0.5, 1.5, 2.5, -0.5])
tf.round([1, 2])
tf.math.rint([0.5, 1.5])
tf.floor(-1.5)
tf.floor(1)
tf.math.ceil([1.2, -1.2])
tf.negative(T)
tf.sin(1.0)
tf.cos([0.0, 1.0])
tf.tan(1.0)
tf.asin(0.5)
tf.acos(0.5)
tf.atan(0.5)
tf.atan2(1.0, [-1.0, 2.0])
tf.sinh(1.0)
tf.cosh(1.0)
tf.tanh([0.0, 1.0])
tf.tanh(1)
tf.math.asinh(1.0)
tf.math.acosh(2.0)
tf.math.atanh(0.5)
tf.sigmoid([0.0, 1.0])
tf.sigmoid(1)
tf.math.sigmoid(x=T)
tf.math.log_sigmoid(-1.0)
tf.math.softplus([0.0, 1.0])
tf.math.softsign([1.0])
tf.math.erf(0.5)
tf.math.erfc(0.5)
tf.math.erfinv(0.5)
tf.math.ndtri(0.7)
tf.math.lgamma(3.5)
tf.math.digamma(3.5)
tf.math.lbeta([1.0, 2.0])
tf.math.igamma(1.0, 2.0)
tf.math.betainc(1.0, 2.0, 0.5)
tf.math.bessel_i0([1.0])
tf.math.squared_difference(T, 1.0)
tf.math.squared_difference([1, 2], [3, 5])
tf.maximum(T, 2)
tf.maximum([1, 5], [3, 2])
tf.minimum(x=1.0, y=[0.5, 2])
tf.maximum(1, 2.0)
tf.equal([1, 2], [1, 3])
tf.equal("a", ["a", "b"])
tf.equal(1.0, 1)
tf.not_equal([1, 2], 1)
tf.not_equal("a", ["a", "b"])
tf.math.not_equal(x=1, y=1)
tf.greater([1, 2], 1)
tf.greater_equal([1.0], 1)
tf.less(1, [0, 2])
tf.less_equal(T, T)
tf.logical_and([True, False], True)
tf.logical_or(x=False, y=[True, False])
tf.logical_not([True])
tf.logical_not(1)
tf.math.logical_xor(True, [True, False])
tf.logical_and(1, 0)
tf.math.is_nan([1.0, np.nan])
tf.math.is_inf([np.inf, 1.0])
tf.math.is_finite([np.inf, 1.0])
tf.math.is_nan([1])
tf.complex(1.0, 2.0)
tf.complex([1.0], [2.0])
tf.complex(1, 2)
tf.math.real([1 + 2j])
tf.math.imag(1 + 2j)
tf.math.conj([1 + 2j])
tf.math.angle(1j)
tf.math.real(2.0)
tf.clip_by_value([-1.0, 0.5, 2.0], 0.0, 1.0)
tf.clip_by_value(I, 1, 2)
tf.clip_by_value(t=T, clip_value_min=2, clip_value_max=3)
tf.clip_by_value(T, 3.0, 2.0)
tf.clip_by_norm(T, 1.0)
tf.clip_by_norm([3.0, 4.0], clip_norm=2.0)
tf.clip_by_norm(T, 1.0, axes=[1])
tf.clip_by_norm([0.0, 0.0], 1.0)
tf.clip_by_global_norm([T, [3.0]], 1.0)
tf.clip_by_global_norm([T, None], 100.0)
tf.linalg.global_norm([T, [3.0]])
tf.math.cumsum([1, 2, 3])
tf.cumsum(T, axis=-1)
tf.cumsum(T, axis=1, exclusive=True, reverse=True)
tf.cumsum([1.5, 2], reverse=True)
tf.math.cumprod([1, 2, 3], exclusive=True)
tf.math.cumulative_logsumexp([1.0, 2.0])
tf.math.top_k([1.0, 3.0, 2.0], 2)
tf.math.top_k(T)
tf.math.top_k(input=A, k=2, sorted=True).values
tf.math.top_k([1, 2], 3)
tf.math.top_k(I, 2)
tf.math.in_top_k([1, 0], [[0.1, 0.9], [0.2, 0.8]], 1)
tf.math.in_top_k(targets=[1], predictions=[[0.5, 0.5]], k=1)
tf.math.confusion_matrix([0, 1, 1], [0, 1, 0])
tf.math.confusion_matrix([0, 1], [1, 1], num_classes=3, dtype=tf.float32)
tf.math.confusion_matrix(labels=[0, 1], predictions=[1, 1], weights=[2, 3])
tf.math.bincount([1, 1, 3])
tf.math.bincount([1, 1, 3], minlength=6)
tf.math.bincount([1, 1, 3], maxlength=2)
tf.math.bincount([1, 1], weights=[0.5, 1.0])
tf.math.bincount([[1, 1], [0, 2]], axis=-1)
tf.math.bincount([[1, 1], [0, 2]])
tf.math.bincount([1, 1], binary_output=True)
tf.math.bincount([], dtype=tf.int64)
tf.math.count_nonzero([1, 0, 2])
tf.math.count_nonzero(T, axis=0, keepdims=True)
tf.math.count_nonzero([True, False], dtype=tf.int32)
tf.math.count_nonzero(["", "a"])
tf.math.l2_normalize([3.0, 4.0])
tf.math.l2_normalize(T, axis=[0, 1])
tf.math.l2_normalize(x=T, axis=-1, epsilon=1e-3)
tf.math.zero_fraction([0.0, 1.0])
tf.math.segment_sum([1, 2, 3], [0, 0, 2])
tf.math.segment_mean([1.0, 2.0, 3.0], [0, 0, 2])
tf.math.segment_mean([1, 2], [0, 0])
tf.math.segment_max([1, 2, 3], [0, 0, 2])
tf.math.segment_min([1.0, 2.0], [0, 0])
tf.math.segment_prod([2, 3], [0, 0])
tf.math.unsorted_segment_sum([1, 2, 3], [2, 0, 2], 3)
tf.math.unsorted_segment_sum([1, 2, 3], [2, -1, 2], num_segments=3)
tf.math.unsorted_segment_mean([1.0, 2.0], [1, 1], 2)
tf.math.unsorted_segment_max([1.0, 2.0], [1, 1], 2)
tf.math.unsorted_segment_max([1, 2], [1, 1], 2)
tf.math.unsorted_segment_min([1, 2], [1, 1], 2)
tf.math.unsorted_segment_prod([2, 3], [1, 1], 2)
tf.math.unsorted_segment_sqrt_n([2.0, 3.0], [1, 1], 2)
tf.math.invert_permutation([2, 0, 1])
tf.math.polyval([1.0, 2.0], 3.0)
tf.math.polyval([tf.constant(1), tf.constant(2)], 3)
tf.math.scalar_mul(2.0, T)
tf.math.accumulate_n([T, T])
tf.math.softmax([1.0, 2.0])
tf.math.log_softmax([1.0, 2.0])
tf.math.reduce_std(T)
tf.math.reduce_variance(T, axis=-1)
tf.math.approx_max_k([1.0, 3.0], 1)
tf.math.nextafter(1.0, 2.0)
tf.math.special.expint(1.0)
tf.argmax([1, 3, 2])
tf.argmax(T, axis=-1)
tf.argmax(T)
tf.argmax(input=A, axis=1, output_type=tf.int32)
tf.argmax(T, 1).dtype == tf.int64
tf.argmin(A, 0)
tf.argmin([1.0, 0.0])
tf.argmax(3)
tf.argmax(["a"])
tf.math.argmax([], 0)
tf.reduce_sum(T)
tf.reduce_sum(T, 0)
tf.reduce_sum(C, axis=[0, -1])
tf.reduce_sum([1, 2, 3])
tf.reduce_sum([True])
tf.reduce_sum(input_tensor=T, axis=1, keepdims=True)
tf.reduce_sum([])
tf.reduce_sum(T, axis=[])
tf.reduce_sum(T, axis=2)
tf.reduce_sum(3)
tf.reduce_sum(tf.constant([200, 100], tf.uint8))
tf.reduce_sum(T, keep_dims=True)
tf.reduce_mean(T)
tf.reduce_mean([1, 2, 4])
tf.reduce_mean([1, 2], axis=0)
tf.reduce_mean([-1, -2])
tf.reduce_mean([1.0, 2])
tf.reduce_mean(C, axis=(1, 2))
tf.reduce_mean([])
tf.reduce_mean([True])
tf.reduce_mean(tf.constant([1.0, 2.0], tf.float16))
tf.reduce_max(T, axis=0)
tf.reduce_max(I)
tf.reduce_max([])
tf.reduce_min(A, axis=-1, keepdims=True)
tf.reduce_prod([1, 2, 3])
tf.reduce_prod(T, 1)
tf.reduce_all([True, False])
tf.reduce_all([[True, True], [False, True]], axis=1)
tf.reduce_any([False, True])
tf.reduce_any(I > 2, keepdims=True)
tf.reduce_all([1, 0])
tf.reduce_all([])
tf.reduce_logsumexp([1.0, 2.0])
tf.reduce_logsumexp(T, axis=1, keepdims=True)
tf.math.reduce_euclidean_norm(T)
tf.math.reduce_euclidean_norm(C, axis=[1, 2])
tf.math.reduce_euclidean_norm([3, 4])
tf.math.reduce_std([1, 2])
tf.math.reduce_mean(T, -1)
tf.bitwise.bitwise_and(5, 3)
tf.bitwise.left_shift(1, 3)
tf.bitwise.invert(tf.constant(5, tf.int32))
tf.matmul(T, T)
tf.matmul(T, T, transpose_a=True)
tf.matmul(a=T, b=T, transpose_b=True, name="m")
tf.matmul([[1, 2]], [[3], [4]])
tf.matmul(C, tf.transpose(C, [0, 2, 1])).shape
tf.matmul(C, tf.ones([4, 2])).shape
tf.matmul([1.0, 2.0], [3.0, 4.0])
tf.matmul(T, [[1, 2], [3, 4]])
tf.matmul(T, I)
tf.matmul([[1 + 1j]], [[1 + 1j]], adjoint_a=True)
tf.tensordot(T, T, 1)
tf.tensordot(T, T, axes=[[0], [1]])
tf.tensordot(T, T, axes=2)
tf.tensordot([1, 2], [3, 4], 1)
tf.einsum("ij,jk", T, T)
tf.einsum("bij,bkj->bik", C, C).shape
tf.einsum("ii", T)
tf.einsum("...i->...", C)
tf.norm(T)
tf.norm([3.0, 4.0], axis=0)
tf.norm(T, ord=1, axis=-1)
tf.norm(T, ord="euclidean", axis=1, keepdims=True)
tf.norm(T, ord=np.inf)
tf.norm(T, ord=np.inf, axis=1)
tf.norm(T, ord=1)
tf.norm(C)
tf.norm([3, 4])
tf.norm(T, ord="fro", axis=(0, 1))
tf.norm(C, axis=[1, 2])
""",
}

GROUPS |= {
    "nn": """
tf.nn.relu([-1.0, 2.0])
tf.nn.relu(features=[-1, 2])
tf.nn.relu6([7.0, -1.0])
tf.nn.leaky_relu([-1.0, 1.0])
tf.nn.leaky_relu(features=T - 2, alpha=0.3)
tf.nn.leaky_relu([-5, 5])
tf.nn.elu([-1.0])
tf.nn.selu([-1.0, 1.0])
tf.nn.gelu([-1.0, 1.0])
tf.nn.gelu([1.0], approximate=True)
tf.nn.silu([1.0])
tf.nn.swish([1.0])
tf.nn.silu([1.0], beta=2.0)
tf.nn.crelu([-1.0, 1.0])
tf.nn.tanh([0.5])
tf.nn.sigmoid([0.5])
tf.nn.softplus([0.5])
tf.nn.softsign([0.5])
tf.nn.softmax([1.0, 2.0])
tf.nn.softmax(T, axis=0)
tf.nn.softmax(logits=T, axis=-1, name="s")
tf.nn.softmax([1, 2])
tf.nn.softmax(1.0)
tf.nn.log_softmax(T)
tf.nn.l2_normalize([3.0, 4.0], axis=0)
tf.nn.l2_loss([1.0, 2.0])
tf.nn.moments(T, axes=[0])
tf.nn.moments(T, 1, keepdims=True)
tf.nn.moments(I, [0])
tf.nn.weighted_moments(T, [0], [[1.0], [3.0]])
tf.nn.bias_add(T, [1.0, 2.0])
tf.nn.bias_add(X, [1.0, 2.0, 3.0, 4.0, 5.0], data_format="NCHW").shape
tf.nn.bias_add(T, [1.0])
tf.nn.batch_normalization(T, [1.0, 2.0], [1.0, 4.0], None, None, 1e-3)
tf.nn.batch_normalization(tf.constant(T), tf.constant([1.0, 2.0]), tf.constant([1.0, 4.0]), None, None, 1e-3)
tf.nn.batch_normalization(T, mean=0.5, variance=1.0, offset=1.0, scale=2.0, variance_epsilon=0.0)
tf.nn.fused_batch_norm(X, [1.0, 1.0], [0.0, 0.0])[1]
tf.nn.fused_batch_norm(tf.constant(X), tf.constant([1.0, 1.0]), tf.constant([0.0, 0.0]))[1]
tf.nn.dropout(T, 0.0)
tf.nn.dropout(T, rate=0.5, seed=1).shape
tf.nn.dropout(T, rate=1.0)
tf.nn.dropout(tf.constant(T), rate=0.0)
tf.nn.dropout(I, 0.5)
tf.nn.conv2d(X, K, strides=1, padding="SAME")
tf.nn.conv2d(X, K, 2, "VALID")
tf.nn.conv2d(input=X, filters=K, strides=[1, 2, 1, 1], padding="SAME", data_format="NHWC", dilations=None)
tf.nn.conv2d(X, K, strides=(1, 1), padding="VALID", dilations=2)
tf.nn.conv2d(X, K, 1, [[0, 0], [1, 1], [0, 1], [0, 0]])
tf.nn.conv2d(X, K, 1, "same")
tf.nn.conv2d(X, K)
tf.nn.conv1d(X[0], K[0], 1, "SAME")
tf.nn.conv1d(X[0], K[0], stride=2, padding="VALID")
tf.nn.conv2d_transpose(X, K.transpose(0, 1, 3, 2), [2, 10, 12, 3], 2)
tf.nn.conv2d_transpose(X, K.transpose(0, 1, 3, 2), output_shape=[2, 7, 7, 3], strides=1, padding="VALID")
tf.nn.conv2d_transpose(X, K.transpose(0, 1, 3, 2), [2, 9, 11, 3], strides=[1, 2, 2, 1])
tf.nn.conv2d_transpose(X, K.transpose(0, 1, 3, 2), [2, 9, 11, 3], 3)
tf.nn.conv3d(X[None], K[None], [1, 1, 1, 1, 1], "SAME").shape
tf.nn.convolution(X, K, padding="SAME").shape
tf.nn.convolution(X, K).shape
tf.nn.depthwise_conv2d(X, K, [1, 1, 1, 1], "SAME")
tf.nn.separable_conv2d(X, K[..., :1], K[:1, :1], [1, 1, 1, 1], "SAME")
tf.nn.max_pool2d(X, 2, 2, "VALID")
tf.nn.max_pool2d(X, ksize=[1, 2, 3, 1], strides=[1, 2, 2, 1], padding="SAME")
tf.nn.max_pool(X, 2, 2, "SAME")
tf.nn.max_pool(input=X, ksize=(1, 3, 3, 1), strides=(1, 1, 1, 1), padding="VALID")
tf.nn.max_pool(X, (1, 1, 1, 2), (1, 1, 1, 2), "VALID")
tf.nn.avg_pool2d(X, 2, 2, "SAME")
tf.nn.avg_pool(X, 3, 1, "VALID")
tf.nn.avg_pool1d(X[0], 2, 2, "VALID")
tf.nn.max_pool1d(X[0], 3, 1, "SAME")
tf.nn.max_pool3d(X[None], 2, 1, "SAME").shape
tf.nn.max_pool_with_argmax(X, 2, 2, "VALID")[0]
tf.nn.pool(X, [2, 2], "MAX", [2, 2])
tf.nn.depth_to_space(tf.reshape(C, [1, 2, 3, 4]), 2)
tf.nn.space_to_depth(X[:, :4], block_size=2)
tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[2.0, -1.0])
tf.nn.sigmoid_cross_entropy_with_logits([1, 0], [2.0, -1.0])
tf.nn.sigmoid_cross_entropy_with_logits(labels=I, logits=tf.constant([1.0, 2.0, 3.0]))
tf.nn.softmax_cross_entropy_with_logits(labels=[[0.0, 1.0]], logits=[[1.0, 2.0]])
tf.nn.softmax_cross_entropy_with_logits([0.3, 0.7], [1.0, 2.0])
tf.nn.softmax_cross_entropy_with_logits(labels=T, logits=A[:, :2], axis=0)
tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 0], logits=T)
tf.nn.sparse_softmax_cross_entropy_with_logits(1, [1.0, 2.0])
tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[[1]], logits=T)
tf.nn.weighted_cross_entropy_with_logits([1.0, 0.0], [2.0, -1.0], pos_weight=3.0)
tf.nn.log_poisson_loss([1.0], [0.5])
tf.nn.compute_average_loss([1.0, 3.0], global_batch_size=4)
tf.nn.compute_average_loss([1.0, 3.0], sample_weight=[1.0, 0.0])
tf.nn.scale_regularization_loss(2.0)
tf.nn.in_top_k([1], [[0.1, 0.9]], 1)
tf.nn.top_k(T, 1).indices
tf.nn.zero_fraction(A)
tf.nn.local_response_normalization(X).shape
tf.nn.normalize_moments(1.0, [2.0], [6.0], None)
tf.nn.erosion2d
tf.nn.collapse_repeated([[1, 1, 2, 0]], [4])
tf.nn.with_space_to_batch
tf.nn.isotonic_regression([1.0, 2.0], decreasing=False)[0]
tf.nn.ctc_greedy_decoder(tf.zeros([2, 1, 3]), [2])[1]
""",
    "linalg": """
tf.linalg.matmul(T, T)
tf.linalg.matvec(T, [1.0, 2.0])
tf.linalg.matvec(T, [1.0, 2.0], transpose_a=True)
tf.linalg.det(T)
tf.linalg.det(C[:, :, :3])
tf.linalg.inv(S)
tf.linalg.inv([[1.0, 1.0], [1.0, 1.0]])
tf.linalg.inv([[1, 2], [3, 4]])
tf.linalg.pinv(T)
tf.linalg.cholesky(S)
tf.linalg.cholesky([[1.0, 2.0], [2.0, 1.0]])
tf.linalg.eigh(S)[0]
tf.linalg.eigvalsh(S)
tf.linalg.eigvals(S)
tf.linalg.svd(T)[0]
tf.linalg.svd(T, compute_uv=False)
tf.linalg.svd(A, full_matrices=True)[2].shape
tf.linalg.svd(A)[1].shape
[abs(m) for m in tf.linalg.qr(T)]
tf.linalg.qr(tf.transpose(A), full_matrices=True)[0].shape
tf.linalg.solve(S, [[1.0], [2.0]])
tf.linalg.solve(matrix=T, rhs=T, adjoint=True)
tf.linalg.solve(S, [1.0, 2.0])
tf.linalg.triangular_solve(S, [[1.0], [2.0]])
tf.linalg.triangular_solve(S, [[1.0], [2.0]], lower=False)
tf.linalg.triangular_solve(S, [[1.0], [2.0]], lower=True, adjoint=True)
tf.linalg.cholesky_solve(tf.linalg.cholesky(S), [[1.0], [2.0]])
tf.linalg.lstsq(tf.transpose(A), [[1.0], [2.0], [3.0]])
tf.linalg.lstsq(S, [[1.0], [2.0]], l2_regularizer=1.0)
tf.linalg.lstsq(A, [[1.0], [2.0]])
tf.linalg.diag([1, 2])
tf.linalg.diag([1.0, 2.0], k=1)
tf.linalg.diag([[1.0, 2.0], [3.0, 4.0]])
tf.linalg.tensor_diag([1, 2])
tf.linalg.tensor_diag_part(T)
tf.linalg.diag_part(T)
tf.linalg.diag_part(A)
tf.linalg.diag_part(T, k=1)
tf.linalg.set_diag(T, [9.0, 8.0])
tf.linalg.band_part(T, -1, 0)
tf.linalg.band_part(tf.ones((3, 3)), 0, -1)
tf.linalg.band_part(input=T, num_lower=0, num_upper=0)
1 - tf.linalg.band_part(tf.ones((3, 3)), -1, 0)
tf.linalg.trace(T)
tf.linalg.trace(C[:, :, :3])
tf.linalg.matrix_transpose(C).shape
tf.linalg.transpose(C).shape
tf.linalg.adjoint([[1 + 1j, 2]])
tf.linalg.norm(T, axis=1)
tf.linalg.normalize(T, axis=1)
tf.linalg.normalize(T)[1]
tf.linalg.normalize(T, ord=1, axis=0)
tf.linalg.matrix_rank(T)
tf.linalg.logdet(S)
tf.linalg.slogdet(T)
tf.linalg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
tf.linalg.expm([[0.0, 1.0], [0.0, 0.0]])
tf.linalg.sqrtm(S)
tf.linalg.eye(2)
tf.linalg.eye(2, batch_shape=[3]).shape
tf.linalg.l2_normalize([3.0, 4.0])
tf.linalg.tensordot(T, T, axes=1)
tf.linalg.einsum("ij->ji", T)
tf.linalg.lu(S)[1]
tf.linalg.experimental
""",
    "random": """
tf.random.normal([2, 3]).shape
tf.random.normal((2,), 1.0, 0.0)
tf.random.normal(shape=[2], mean=3.0, stddev=0.0, dtype=tf.float32, seed=1)
tf.random.normal([2], dtype=tf.float16).dtype.name
tf.random.normal([]).shape
tf.random.normal(2)
tf.random.normal([2], mean=[1.0, 2.0], stddev=0.0)
tf.random.normal([3, 2], mean=[1.0, 2.0], stddev=0.0)
tf.random.uniform([2]).dtype.name
tf.random.uniform((2, 2), 3.0, 3.0)
tf.random.uniform([5], maxval=1, dtype=tf.int32)
tf.random.uniform(shape=[], minval=5, maxval=6, dtype=tf.int64)
tf.random.uniform([2], dtype=tf.int32)
tf.random.uniform([4], minval=0, maxval=10, dtype="int32").shape
tf.random.uniform([2], 5, 2, dtype=tf.int32)
tf.random.truncated_normal([2], mean=2.0, stddev=0.0)
tf.random.shuffle([1, 1, 1])
tf.sort(tf.random.shuffle([3, 1, 2]))
tf.random.shuffle(["a", "a"])
tf.random.shuffle(T, seed=3).shape
tf.random.categorical([[0.0, -1e9]], 3)
tf.random.categorical(tf.math.log([[0.0, 1.0]]), num_samples=2)
tf.random.categorical([[0.0, -1e9]], 1, dtype=tf.int32)
tf.random.categorical([0.0, 1.0], 1)
tf.random.gamma([2], 1.0).shape
tf.random.gamma([2], alpha=[1.0, 2.0]).shape
tf.random.poisson([2], [1.0, 2.0]).shape
tf.random.poisson([2], 0.0)
tf.random.set_seed(1)
tf.random.stateless_normal([2], seed=[1, 2], stddev=0.0)
tf.random.stateless_uniform([2], seed=(1, 2)).shape
tf.random.stateless_uniform([2], [1, 2], 3, 4, tf.int32)
tf.random.stateless_truncated_normal([2], seed=[0, 1]).dtype.name
tf.random.stateless_categorical([[0.0, -1e9]], 2, seed=[1, 2])
tf.random.stateless_uniform([2], seed=1)
tf.random.stateless_gamma([2], seed=[1, 2], alpha=1.0).shape
tf.random.stateless_binomial([2], seed=[1, 2], counts=3.0, probs=1.0)
tf.random.experimental.stateless_split([1, 2], 2).shape
tf.random.split([1, 2], 3).shape
tf.random.fold_in([1, 2], 3).shape
tf.random.experimental.stateless_shuffle([1, 1], seed=[1, 2])
tf.random.fixed_unigram_candidate_sampler
tf.random.Generator.from_seed(1).normal([2]).shape
tf.random.Generator.from_seed(1).uniform(shape=[2], minval=1.0, maxval=1.0)
tf.random.Generator.from_seed(1).uniform([2], maxval=1, dtype=tf.int32)
tf.random.Generator.from_seed(1).uniform_full_int([2]).shape
tf.random.Generator.from_seed(1).make_seeds(2).shape
tf.random.Generator.from_seed(1).make_seeds(2)[0].shape
tf.random.Generator.from_seed(1).truncated_normal([2], stddev=0.0)
tf.random.Generator.from_seed(1).binomial([2], 3, 1.0)
len(tf.random.Generator.from_seed(1).split(2))
tf.random.get_global_generator().normal([2]).shape
tf.random.log_uniform_candidate_sampler([[1]], 1, 2, True, 9)[0].shape
tf.random_normal_initializer(0.0, 0.02)((2, 3)).shape
tf.random_normal_initializer(mean=0.0, stddev=0.0)(shape=[2], dtype=tf.float32)
tf.random_uniform_initializer(minval=1.0, maxval=1.0)([2])
tf.zeros_initializer()([2])
tf.ones_initializer()(shape=(2,), dtype="float32")
tf.constant_initializer(0.1)([2])
tf.constant_initializer(T)([2, 2])
tf.initializers.GlorotUniform()((2, 3)).shape
""",
    "image": """
tf.image.resize(P, [2, 3])
tf.image.resize(P, (8, 9))
tf.image.resize(images=F, size=[3, 5], method="nearest")
tf.image.resize(P, [2, 3], method=tf.image.ResizeMethod.NEAREST_NEIGHBOR)
tf.image.resize(F, [3, 5], "bicubic")
tf.image.resize(F, [8, 12], tf.image.ResizeMethod.BICUBIC)
tf.image.resize(F, [2, 3], "lanczos3")
tf.image.resize(F, [2, 3], "lanczos5", antialias=True)
tf.image.resize(F, [2, 3], "gaussian")
tf.image.resize(F, [3, 7], "mitchellcubic")
tf.image.resize(F, [2, 3], antialias=True)
tf.image.resize(F, [2, 4], "area")
tf.image.resize(F, [3, 3], tf.image.ResizeMethod.AREA)
tf.image.resize(F, [8, 8], preserve_aspect_ratio=True).shape
tf.image.resize(F, [3, 3], preserve_aspect_ratio=True).shape
tf.image.resize(P[None], [2, 2]).shape
tf.image.resize(P, [4, 6])
tf.image.resize(P, [2])
tf.image.resize(P[..., 0], [2, 2])
tf.image.resize(P, [2, 2], method="plum")
tf.image.resize_with_pad(F, 8, 8)
tf.image.resize_with_pad(P, 5, 9).dtype.name
tf.image.resize_with_pad(F, 3, 7)
tf.image.resize_with_pad(F, 5, 5)
tf.image.resize_with_pad(F, 3, 8)
tf.image.resize_with_pad(P[None], 7, 4, method="nearest")
tf.image.resize_with_crop_or_pad(P, 2, 8)
tf.image.resize_with_crop_or_pad(image=P, target_height=5, target_width=3)
tf.image.resize_with_crop_or_pad(P[None], 3, 3).shape
tf.image.central_crop(P, 0.5)
tf.image.central_crop(F, central_fraction=0.7)
tf.image.central_crop(P, 1.0).shape
tf.image.central_crop(P, 1.5)
tf.image.crop_to_bounding_box(P, 1, 2, 2, 3)
tf.image.crop_to_bounding_box(P, offset_height=3, offset_width=0, target_height=4, target_width=2)
tf.image.pad_to_bounding_box(P, 1, 1, 6, 8)
tf.image.pad_to_bounding_box(P, 1, 1, 3, 8)
tf.image.crop_and_resize(F[None], [[0.0, 0.0, 1.0, 1.0]], [0], [2, 3])
tf.image.crop_and_resize(F[None], [[0.1, 0.2, 0.7, 0.9], [-0.5, 0.0, 0.5, 1.5]], [0, 0], crop_size=(3, 2))
tf.image.crop_and_resize(F[None], [[0.0, 0.0, 1.0, 1.0]], [0], [1, 1])
tf.image.crop_and_resize(F[None], [[0.1, 0.2, 0.7, 0.9]], [0], [3, 3], "nearest")
tf.image.crop_and_resize(F[None], [[0.0, 0.0, 1.5, 1.0]], [0], [3, 2], extrapolation_value=9.0)
tf.image.crop_and_resize(P[None], [[0.0, 0.0, 1.0, 1.0]], [0], [2, 2])
tf.image.flip_left_right(P)
tf.image.flip_up_down(F[None])
tf.image.flip_left_right(P[..., 0])
tf.image.rot90(P)
tf.image.rot90(image=P[None], k=3)
tf.image.rot90(P, 2)
tf.image.transpose(P)
tf.image.adjust_brightness(P, 0.1)
tf.image.adjust_brightness(F, delta=-0.2)
tf.image.adjust_contrast(P, 2.0)
tf.image.adjust_contrast(F, 0.5)
tf.image.adjust_saturation(P, 3)
tf.image.adjust_saturation(F, saturation_factor=0.5)
tf.image.adjust_hue(P, 0.2)
tf.image.adjust_hue(F, -0.3)
tf.image.adjust_gamma(F, 0.5, 2.0)
tf.image.adjust_gamma(P, gamma=2)
tf.image.adjust_jpeg_quality(P, 75).dtype.name
tf.image.per_image_standardization(P)
tf.image.per_image_standardization(F[None])
tf.image.per_image_standardization(np.ones((2, 2, 3), "float32"))
tf.image.rgb_to_grayscale(P)
tf.image.rgb_to_grayscale(F)
tf.image.grayscale_to_rgb(P[..., :1])
tf.image.grayscale_to_rgb(tf.constant(P[..., :1]))
tf.image.grayscale_to_rgb(P)
tf.image.rgb_to_hsv(F)
tf.image.hsv_to_rgb(F)
tf.image.rgb_to_yuv(F)
tf.image.yuv_to_rgb(F)
tf.image.rgb_to_yiq(F)
tf.image.yiq_to_rgb(F)
tf.image.convert_image_dtype(P, tf.float32)
tf.image.convert_image_dtype(F, tf.uint8)
tf.image.convert_image_dtype([[1.2, -0.1]], dtype=tf.uint8, saturate=True)
tf.image.convert_image_dtype(P, tf.int32)
tf.image.convert_image_dtype(P, tf.uint16)
tf.image.convert_image_dtype(P, tf.uint8)
tf.image.convert_image_dtype(F, tf.float16).dtype.name
tf.image.psnr(F, F * 0.9, 1.0)
tf.image.psnr(P, P // 2, max_val=255)
tf.image.ssim(tf.tile(F, [4, 4, 1]), tf.tile(F, [4, 4, 1]) * 0.9, 1.0)
tf.image.ssim(tf.tile(P, [4, 4, 1]), tf.tile(P // 2, [4, 4, 1]), max_val=255)
tf.image.ssim(F[None], F[None] * 0.5, 1.0, filter_size=3)
tf.image.total_variation(F)
tf.image.total_variation(F[None])
tf.image.total_variation(tf.constant(F[None]))
tf.image.total_variation(P)
tf.image.image_gradients(F[None])
tf.image.image_gradients(tf.constant(F[None]))
tf.image.image_gradients(F)
tf.image.sobel_edges(F[None])
tf.image.sobel_edges(tf.constant(F[None]))
tf.image.extract_patches(F[None], [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
tf.image.extract_patches(images=F[None], sizes=[1, 3, 3, 1], strides=[1, 2, 2, 1], rates=[1, 1, 1, 1], padding="SAME")
tf.image.non_max_suppression([[0.0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 0.3, 0.3]], [0.9, 0.8, 0.7], 3)
tf.image.non_max_suppression([[0.0, 0, 1, 1], [0, 0, 1, 0.9]], [0.9, 0.8], max_output_size=2, iou_threshold=0.95)
tf.image.non_max_suppression([[1.0, 1, 0, 0], [0, 0, 1, 0.9]], [0.9, 0.8], 2)
tf.image.combined_non_max_suppression([[[[0.0, 0, 1, 1]]]], [[[0.9]]], 1, 1)[3]
tf.image.draw_bounding_boxes(F[None], [[[0.1, 0.1, 0.9, 0.9]]], [[1.0, 0.0, 0.0]])
tf.image.random_brightness(F, 0.0)
tf.image.random_brightness(F, 0.2).shape
tf.image.random_brightness(F, -0.2)
tf.image.random_contrast(F, 1.0, 1.0)
tf.image.random_contrast(F, lower=0.5, upper=1.5, seed=3).shape
tf.image.random_saturation(F, 0.5, 1.5).shape
tf.image.random_hue(F, max_delta=0.1).shape
tf.image.random_hue(F, 0.6)
tf.image.random_flip_left_right(F).shape
tf.image.random_flip_left_right(F[None], seed=2).shape
tf.image.random_flip_up_down(P).dtype.name
tf.image.random_crop(F, [2, 2, 3]).shape
tf.image.random_crop(value=F, size=(2, 2, 3), seed=1).shape
tf.image.random_crop(F, [9, 9, 3])
tf.image.random_jpeg_quality(P, 70, 95).shape
tf.image.stateless_random_crop(F, size=[2, 2, 3], seed=(1, 2)).shape
tf.image.stateless_random_brightness(F, max_delta=0.5, seed=(1, 2)).shape
tf.image.stateless_random_brightness(F, 0.5, [1, 2]).shape
tf.image.stateless_random_contrast(F, lower=0.1, upper=0.9, seed=(1, 2)).shape
tf.image.stateless_random_flip_left_right(F, seed=(1, 2)).shape
tf.image.stateless_random_jpeg_quality(P, 75, 95, seed=(1, 2)).shape
tf.image.stateless_sample_distorted_bounding_box
tf.image.decode_png(tf.image.encode_png(P))
tf.image.decode_png(tf.io.encode_png(P), channels=1)
tf.io.decode_png(tf.io.encode_png(P[..., :1]))
tf.io.decode_png(tf.io.encode_png(P), dtype=tf.uint16).dtype.name
tf.io.decode_image(tf.io.encode_png(P), channels=3)
tf.io.decode_image(tf.io.encode_png(P), dtype=tf.float32)
tf.io.decode_image(tf.io.encode_png(P), channels=4).shape
tf.image.decode_image(tf.io.encode_jpeg(P), channels=3, expand_animations=False).shape
tf.io.decode_jpeg(tf.io.encode_jpeg(P, quality=100)).shape
tf.io.decode_jpeg(tf.io.encode_jpeg(P), channels=1).shape
tf.io.decode_jpeg(tf.io.encode_png(P))
tf.io.decode_image(b"plum")
tf.io.encode_png(F)
tf.io.is_jpeg(tf.io.encode_jpeg(P))
tf.io.extract_jpeg_shape(tf.io.encode_jpeg(P))
""",
    "text and files": """
tf.strings.length(["plum", "fig"])
tf.strings.length("\\u00e9")
tf.strings.length("\\u00e9", unit="UTF8_CHAR")
tf.strings.lower(["PLUM"])
tf.strings.upper("fig")
tf.strings.lower("\\u00c9")
tf.strings.lower("\\u00c9", encoding="utf-8")
tf.strings.join(["a", "b"])
tf.strings.join([["a", "b"], ["c", "d"]], separator="-")
tf.strings.join(["a", ["b", "c"]])
tf.strings.reduce_join(["a", "b"])
tf.strings.reduce_join([["a", "b"], ["c", "d"]], axis=-1, separator=" ")
tf.strings.reduce_join([["a", "b"], ["c", "d"]], axis=0, keepdims=True)
tf.strings.reduce_join([["a", "b"], ["c", "d"]])
tf.strings.regex_replace("a1b2", "[0-9]", "")
tf.strings.regex_replace(["<br />x"], "<br />", " ")
tf.strings.regex_replace("aaa", "a", "b", replace_global=False)
tf.strings.regex_replace("ab", "(a)(b)", r"\\2\\1")
tf.strings.regex_replace("a.b", "[%s]" % "!.", r" \\0 ")
tf.strings.regex_replace(input="plum", pattern="[[:punct:]lu]", rewrite="")
tf.strings.regex_full_match(["ab", "abc"], "a.")
tf.strings.split("a b  c")
tf.strings.split("a,b,,c", ",")
tf.strings.split("a,b", sep=",", maxsplit=0)
tf.strings.split("a b c", maxsplit=1)
tf.strings.split(["a b", "c d"]).to_tensor()
tf.strings.split("/x/y.png", "/")[-1]
tf.strings.split("")
tf.strings.bytes_split("ab")
tf.strings.unicode_split("h\\u00e9", "UTF-8")
tf.strings.unicode_split("ab", input_encoding="UTF-8")
tf.strings.unicode_decode("h\\u00e9", "UTF-8")
tf.strings.unicode_encode([104, 233], "UTF-8")
tf.strings.unicode_script([104])
tf.strings.unicode_transcode("a", "UTF-8", "UTF-16-BE")
tf.strings.strip(["  a ", "b"])
tf.strings.substr("plum", 1, 2)
tf.strings.substr(["plum", "figs"], pos=-3, len=2)
tf.strings.substr("plum", 9, 1)
tf.strings.substr(["plum", "figs"], [0, 1], [1, 2])
tf.strings.to_number("3.5")
tf.strings.to_number(["1", "2"], out_type=tf.int32)
tf.strings.to_number(["x"])
tf.strings.to_number("3.5", tf.int32)
tf.strings.as_string(3)
tf.strings.as_string([1.5, 2.0])
tf.strings.as_string(3.14159, precision=2)
tf.strings.as_string([True])
tf.strings.as_string(7, width=3, fill="0")
tf.strings.as_string(123456.0, scientific=True)
tf.strings.as_string(1e10, shortest=True)
tf.strings.format("{} and {}", (1, 2))
tf.strings.format("x {}", tf.constant([1, 2]))
tf.strings.to_hash_bucket_fast(["a", "b"], 10)
tf.strings.to_hash_bucket(["a", "b"], 10)
tf.strings.to_hash_bucket_strong(["a"], 10, [1, 2])
tf.strings.ngrams(["a", "b", "c"], 2)
tf.strings.unsorted_segment_join(["a", "b"], [0, 0], 1)
tf.io.decode_raw(b"\\x01\\x00\\x02\\x00", tf.int16)
tf.io.decode_raw([b"\\x01", b"\\x02"], tf.uint8)
tf.io.decode_raw(b"\\x00\\x01", "int16", little_endian=False)
tf.io.decode_base64("YWI")
tf.io.encode_base64("ab")
tf.io.decode_csv(["1,2.5,a", "2,3.5,b"], [[0], [0.0], [""]])
tf.io.decode_csv("1,,3", record_defaults=[[0], [7], [0.0]])
tf.io.decode_json_example
tf.io.read_file("/nonexistent/file")
tf.io.gfile.exists("/nonexistent/file")
tf.io.gfile.isdir("/")
tf.io.gfile.join("a", "b")
tf.io.gfile.glob("/nonexistent/*")
tf.io.gfile.listdir("/nonexistent")
tf.io.serialize_tensor(tf.constant([1])).dtype.name
tf.io.parse_tensor(tf.io.serialize_tensor(tf.constant([1.0, 2.0])), tf.float32)
""",
    "signal": """
tf.signal.hann_window(5)
tf.signal.hann_window(4, periodic=False)
tf.signal.hann_window(1)
tf.signal.hann_window(5, periodic=True)
tf.signal.hamming_window(4)
tf.signal.hamming_window(5, periodic=False)
tf.signal.kaiser_window(4)
tf.signal.vorbis_window(4)
tf.signal.frame([1.0, 2.0, 3.0, 4.0, 5.0], 2, 2)
tf.signal.frame([1.0, 2.0, 3.0], frame_length=2, frame_step=2, pad_end=True, pad_value=9.0)
tf.signal.frame(C, 2, 1).shape
tf.signal.frame(C, 2, 1, axis=1).shape
tf.signal.stft(np.sin(np.arange(16, dtype="float32")), 4, 2)
tf.signal.stft(np.sin(np.arange(16, dtype="float32")), frame_length=5, frame_step=2, fft_length=8, pad_end=True)
tf.signal.stft(np.sin(np.arange(16, dtype="float32")), 4, 2, window_fn=None).shape
tf.signal.inverse_stft(tf.signal.stft(np.sin(np.arange(16, dtype="float32")), 4, 2), 4, 2)
tf.signal.fft([1 + 0j, 2, 3])
tf.signal.ifft(tf.constant([1, 2], tf.complex64))
tf.signal.fft([1.0, 2.0])
tf.signal.rfft([1.0, 2.0, 3.0])
tf.signal.rfft([1.0, 2.0, 3.0], fft_length=[4])
tf.signal.irfft(tf.constant([1, 2, 3], tf.complex64))
tf.signal.fft2d(tf.cast(T, tf.complex64))
tf.signal.rfft2d(T)
tf.signal.fftshift([1, 2, 3])
tf.signal.dct([1.0, 2.0, 3.0])
tf.signal.mfccs_from_log_mel_spectrograms(T)
tf.signal.linear_to_mel_weight_matrix(4, 9, 8000)
tf.signal.linear_to_mel_weight_matrix(num_mel_bins=3, num_spectrogram_bins=5, sample_rate=16000)
tf.signal.overlap_and_add([[1.0, 2.0], [3.0, 4.0]], 1)
tf.audio.decode_wav(tf.audio.encode_wav([[0.5], [-0.5]], 8000))
tf.audio.encode_wav([[0.5]], 8000).dtype.name
""",
    "variables": """
tf.Variable(3)
tf.Variable([1.0, 2.0], name="v").numpy()
tf.Variable(1.0, name="v").name
tf.Variable(1.0).name
tf.Variable(1.0, dtype=tf.float64).dtype.name
tf.Variable(T, trainable=False).trainable
tf.Variable(initial_value=T).shape
tf.Variable(lambda: tf.ones([2]))
tf.Variable("plum")
tf.Variable(["a", "b"]).numpy().tolist()
tf.Variable([True])
tf.Variable()
tf.Variable(1.0).assign(2.0)
tf.Variable(1.0).assign_add(2.0).numpy()
tf.Variable(1.0).assign_sub(2)
tf.Variable([1, 2]).assign([3, 4])
tf.Variable([1, 2]).assign([1, 2, 3])
tf.Variable([1, 2]).assign([1.5, 2.5])
tf.Variable(1).assign(2.5)
tf.Variable(1.0).assign(2)
tf.Variable(1.0).assign(tf.constant(2))
tf.Variable([1.0, 2.0])[0]
tf.Variable([1.0, 2.0])[1].assign(5.0)
tf.Variable([[1.0, 2.0]])[:, 0].assign([7.0])
tf.Variable([1.0, 2.0]) * 2
2 - tf.Variable(1.0)
tf.Variable(1.0) + tf.Variable(2.0)
-tf.Variable(2)
tf.Variable(T) @ T
tf.Variable(T) > 2
tf.Variable([1.0]) == [1.0]
tf.Variable(1.0).read_value()
tf.Variable(1.0).value()
tf.Variable(1.0).initialized_value
tf.Variable(T).shape == (2, 2)
tf.Variable(T).get_shape()
tf.Variable([1.0, 2.0], shape=[None]).shape
tf.Variable([1.0], shape=tf.TensorShape(None)).assign([1.0, 2.0])
tf.Variable([1.0, 2.0]).scatter_nd_update([[0]], [5.0])
tf.Variable([1.0, 2.0]).scatter_nd_add([[0]], [5.0])
tf.Variable([1.0, 2.0]).scatter_nd_sub([[0]], [5.0])
tf.Variable([1.0, 2.0]).scatter_update(tf.IndexedSlices([5.0], [0]))
tf.Variable(T).scatter_sub(tf.IndexedSlices([[1.0, 1.0]], [0]))
tf.Variable([1.0, 2.0]).sparse_read([1])
tf.Variable([1.0, 2.0]).gather_nd([[1]])
tf.Variable(3).count_up_to
tf.Variable(1.0).dtype == tf.float32
isinstance(tf.Variable(1.0), tf.Variable)
isinstance(tf.Variable(1.0), tf.Tensor)
float(tf.Variable(1.5))
int(tf.Variable(2))
bool(tf.Variable(True))
len(tf.Variable([1, 2]))
f"{tf.Variable(1.5).numpy():.1f}"
tf.reduce_sum(tf.Variable(T))
tf.convert_to_tensor(tf.Variable(T))
tf.identity(tf.Variable(1.0))
tf.zeros_like(tf.Variable(T))
tf.cast(tf.Variable(1.5), tf.int32)
tf.stack([tf.Variable(1.0), tf.Variable(2.0)])
tf.concat([tf.Variable([1.0]), [2.0]], 0)
np.array(tf.Variable(T))
tf.Variable(1.0).ref().deref()
hash(tf.Variable(1.0))
tf.Variable(1.0, constraint=tf.nn.relu).constraint is tf.nn.relu
tf.Variable(1.0).device is None
tf.Variable(2.0) ** 2
tf.Variable(1.0, trainable=True, validate_shape=False, name="a/b").name
""",
    "control and checks": """
tf.cond(tf.constant(True), lambda: 1, lambda: 2)
tf.cond(True, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
tf.cond(pred=tf.constant(1) > 2, true_fn=lambda: T, false_fn=lambda: -T)
tf.case([(tf.constant(False), lambda: 1)], default=lambda: 2)
tf.switch_case(tf.constant(1), [lambda: 5, lambda: 6])
tf.switch_case(tf.constant(9), {0: lambda: 5}, default=lambda: 7)
tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])
tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (tf.constant(0), tf.constant(1.0)))
tf.while_loop(lambda i: True, lambda i: [i + 1], [tf.constant(0)], maximum_iterations=4)
tf.map_fn(lambda x: x * 2, tf.constant([1, 2]))
tf.map_fn(lambda x: x[0] + x[1], (tf.constant([1, 2]), tf.constant([3, 4])), fn_output_signature=tf.int32)
tf.map_fn(lambda x: tf.cast(x, tf.float32), I, dtype=tf.float32)
tf.map_fn(tf.reduce_sum, T)
tf.map_fn(tf.strings.upper, tf.constant(["a", "b"]))
tf.vectorized_map(lambda x: tf.reduce_sum(x), T)
tf.scan(lambda a, x: a + x, I)
tf.scan(lambda a, x: a + x, elems=[1.0, 2.0], initializer=10.0)
tf.scan(lambda a, x: a + x, tf.constant([1.0, 2.0]), initializer=tf.constant(10.0))
tf.scan(lambda a, x: a + x, I, reverse=True)
tf.foldl(lambda a, x: a - x, I)
tf.foldr(lambda a, x: a - x, I)
tf.foldl(lambda a, x: a + x, [1.0, 2.0], initializer=10.0)
tf.foldl(lambda a, x: a + x, tf.constant([1.0, 2.0]), initializer=tf.constant(10.0))
tf.numpy_function(lambda x: x * 2, [T], tf.float32)
tf.numpy_function(lambda x, y: (x, y), [T, I], [tf.float32, tf.int32])
tf.py_function(lambda x: x.numpy() + 1, [T], tf.float32)
tf.py_function(func=lambda x: [x, x + 1], inp=[1.0], Tout=[tf.float32, tf.float32])
tf.group()
tf.no_op()
tf.tuple([T, I])
tf.debugging.assert_equal(1, 1)
tf.debugging.assert_equal([1, 2], [1, 3])
tf.debugging.assert_equal(1, 2, message="fig")
tf.debugging.assert_near(1.0, 1.0000001)
tf.debugging.assert_near(1.0, 1.1, atol=0.2)
tf.debugging.assert_near(1.0, 1.1)
tf.debugging.assert_less(1, 2)
tf.debugging.assert_greater_equal([1, 2], 2)
tf.debugging.assert_shapes([(T, (2, 2))])
tf.debugging.assert_shapes([(T, ("N", "N")), (A, ("N", 3))])
tf.debugging.assert_shapes([(T, (3, 2))])
tf.debugging.assert_rank(T, 2)
tf.debugging.assert_rank(T, 3)
tf.debugging.assert_rank_at_least(T, 1)
tf.debugging.assert_rank_in(T, [1, 2])
tf.debugging.assert_type(T, tf.float32)
tf.debugging.assert_all_finite([1.0, np.inf], "x")
tf.debugging.assert_scalar(tf.constant(1))
tf.debugging.check_numerics(T, "x")
tf.debugging.check_numerics([np.nan], "x")
tf.debugging.assert_non_negative([0, 1])
tf.debugging.assert_positive([0, 1])
tf.debugging.assert_non_positive([0, -1])
tf.debugging.assert_integer(I)
tf.debugging.is_numeric_tensor(tf.constant(1))
tf.debugging.Assert(True, [1])
tf.debugging.Assert(False, [1])
tf.assert_equal(1, 1)
tf.assert_rank(T, 2)
tf.executing_eagerly()
tf.config.list_physical_devices("CPU")[0].device_type
tf.config.list_physical_devices("TPU")
tf.config.get_visible_devices("CPU")[0].name
len(tf.config.list_logical_devices("CPU"))
tf.config.run_functions_eagerly(False)
tf.config.functions_run_eagerly()
tf.test.is_gpu_available()
tf.distribute.get_strategy().num_replicas_in_sync
tf.distribute.MirroredStrategy(["/cpu:0"]).num_replicas_in_sync
tf.nest.flatten([1, [2, (3,)], {"b": 5, "a": 4}])
tf.nest.map_structure(lambda x: x + 1, {"a": 1, "b": [2]})
tf.nest.pack_sequence_as([0, [0]], [1, 2])
tf.nest.is_nested([1])
tf.nest.is_nested(1)
tf.nest.flatten(None)
tf.nest.flatten([None, 1])
tf.nest.map_structure(lambda x, y: x + y, (1, 2), (3, 4))
tf.nest.assert_same_structure([1], [2])
tf.nest.assert_same_structure([1], [2, 3])
tf.autodiff.ForwardAccumulator
tf.TensorArray(tf.float32, size=2).write(0, 1.0).write(1, 2.0).stack()
tf.TensorArray(tf.float32, 0, dynamic_size=True).write(1, [1.0]).size()
tf.TensorArray(tf.int32, size=2).unstack([5, 6]).read(1)
tf.TensorArray(tf.int32, size=2).unstack([[5], [6]]).concat()
tf.TensorArray(tf.float32, size=1).write(3, 1.0)
tf.TensorArray(tf.float32, size=3).scatter([0, 2], [[1.0], [2.0]]).stack()
tf.TensorArray(tf.int32, size=3).unstack([5, 6, 7]).gather([2, 0])
tf.TensorArray(tf.float32, size=2, element_shape=[]).dtype == tf.float32
tf.errors.InvalidArgumentError.__name__
tf.errors.UnimplementedError.__name__
tf.errors.FailedPreconditionError.__name__
tf.errors.OpError.__name__
tf.errors.AlreadyExistsError.__name__
tf.errors.DataLossError.__name__
tf.ragged.constant([[1], [2, 3]]).to_tensor()
tf.RaggedTensor.from_row_lengths([1, 2, 3], [1, 2]).to_tensor()
tf.ragged.stack([[1], [2, 3]]).to_tensor()
tf.sparse.to_dense(tf.sparse.SparseTensor([[0, 1]], [5], [2, 2]))
tf.sparse.from_dense([[0, 1]]).values
tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), -1).lookup(tf.constant(["a", "z"]))
tf.lookup.StaticVocabularyTable
tf.compat.v1.logging.ERROR
tf.compat.v1.disable_eager_execution
tf.compat.as_str(b"a")
tf.compat.as_bytes("a")
tf.get_static_value(tf.constant(3))
tf.math.tanh(0.5)
tf.print("x", 1)
tf.keras.ops.add(1.0, 2.0)
tf.losses.MeanSquaredError()([1.0], [3.0])
tf.metrics.Mean()([1.0, 3.0])
tf.optimizers.Adam().learning_rate
tf.keras.losses.mse([[1.0]], [[3.0]])
tf.version.VERSION.split(".")[0]
tf.__version__.split(".")[0]
tf.autograph.to_graph
tf.experimental.numpy.arange(3)
tf.experimental.Optional
tf.hessians
tf.gradients
tf.fingerprint
tf.sets.intersection
tf.math.reduce_any([True])
tf.quantization.fake_quant_with_min_max_args([0.5])
tf.summary.scalar("x", 1.0, step=1)
tf.profiler
tf.types.experimental.TensorLike
""",
    "pipelines": """
whole(D.range(10).batch(3))
whole(D.range(10).batch(3, drop_remainder=True))
refused(lambda: list(D.range(10).batch(3).batch(2)))
whole(D.range(10).batch(4).unbatch())
whole(D.range(10).batch(4).rebatch(3, drop_remainder=True))
whole(D.range(0))
whole(D.range(5, 0, -2))
whole(D.range(3, output_type=tf.int32))
whole(F({"a": [1, 2, 3], "b": (T3, ["x", "y", "z"])}))
whole(F({"a": [1, 2, 3], "b": (T3, ["x", "y", "z"])}).batch(2))
whole(F((T3, T3)).map(lambda x, y: {"s": x + y, "d": (x - y, x)}))
whole(F([True, False]))
whole(F(np.array([1.5, 2.5])).batch(2))
whole(F(np.array([1, 2], "uint8")).repeat(2))
whole(D.from_tensors((1, 2.5, "a")))
whole(D.from_tensors({"a": [1, 2], "b": 3}).repeat(3).enumerate())
whole(D.from_tensors([[1, 2], [3, 4]]).unbatch())
whole(F(T3).unbatch())
whole(D.range(7).batch(2, drop_remainder=True).unbatch())
whole(F((T3, [1, 2, 3])).batch(3, drop_remainder=True).repeat().unbatch().take(4))
refused(lambda: D.choose_from_datasets([D.range(2), F([1.0])], D.range(2)))
refused(lambda: D.sample_from_datasets([D.range(2), D.range(2).batch(2)]))
refused(lambda: D.sample_from_datasets([D.range(2), F({'a': [1]})]))
refused(lambda: F([[1, 2], [3]]))
refused(lambda: F((T3, [1, 2])))
refused(lambda: F(3))
refused(lambda: list(V.batch(2)))
refused(lambda: D.range(3).batch(0))
refused(lambda: D.range(3).shuffle(0))
refused(lambda: D.range(3).shard(2, 2))
refused(lambda: D.range(3).window(0))
refused(lambda: len(D.range(3).repeat()))
refused(lambda: len(D.range(3).filter(lambda x: x > 0)))
refused(lambda: list(D.range(3).map(lambda x: tf.reshape(x, [2]))))
refused(lambda: list(D.range(3).flat_map(lambda x: x)))
refused(lambda: D.zip(1))
refused(lambda: D.range(3).interleave(lambda x: D.range(2), cycle_length=0))
refused(lambda: list(V.padded_batch(2, padded_shapes=[1])))
refused(lambda: list(D.from_generator(lambda: iter([[1, 2], [3]]), output_signature=tf.TensorSpec([2], tf.int32))))
refused(lambda: list(D.from_generator(lambda: iter([1.5]), output_signature=tf.TensorSpec([], tf.string))))
refused(lambda: list(D.from_generator(lambda: iter([(1, 2)]), output_signature=tf.TensorSpec([], tf.int32))))
refused(lambda: D.from_generator([1, 2], output_types=tf.int32))
refused(lambda: D.range(3).padded_batch(0))
refused(lambda: D.range(3).concatenate(F([1.0])))
refused(lambda: D.range(3).concatenate(D.zip(D.range(2), D.range(2))))
refused(lambda: D.range(2).get_single_element())
refused(lambda: D.range(0).get_single_element())
refused(lambda: D.range(4).bucket_by_sequence_length(lambda x: x, [2, 3], [1, 1]))
refused(lambda: D.range(3).group_by_window(lambda x: x, lambda k, d: d))
refused(lambda: D.range(3).take("a"))
refused(lambda: D.range(3).apply(lambda d: 3))
whole(V.padded_batch(2))
whole(V.padded_batch(2, padded_shapes=[None]))
whole(V.padded_batch(2, padded_shapes=[5], drop_remainder=True))
whole(V.padded_batch(2, padded_shapes=[-1], padding_values=np.int64(-1)))
whole(V.map(lambda x: (x, len_of(x))).padded_batch(2, padded_shapes=([None], [])))
whole(V.map(lambda x: (x, len_of(x))).padded_batch(3, padded_shapes=([6], []), padding_values=(np.int64(9), np.int32(0))))
whole(V.map(lambda x: {"a": x, "b": tf.cast(x, tf.float32)}).padded_batch(2, padded_shapes={"a": [None], "b": [5]}, padding_values={"a": np.int64(-1), "b": 0.5}))
whole(V.map(lambda x: {"a": x, "b": tf.cast(x, tf.float32)}).padded_batch(2, padding_values={"a": np.int64(-1), "b": 0.5}))
whole(V.map(lambda x: tf.as_string(x)).padded_batch(2))
whole(V.map(lambda x: tf.as_string(x)).padded_batch(2, padding_values="-"))
whole(V.map(lambda x: tf.reshape(x, [1, -1])).padded_batch(2, padded_shapes=[None, None]))
whole(V.map(lambda x: tf.reshape(x, [1, -1])).padded_batch(4, padded_shapes=[2, 6]))
whole(V.map(lambda x: x > 1).padded_batch(2))
whole(V.bucket_by_sequence_length(lambda x: tf.shape(x)[0], [2, 4], [2, 2, 1]))
whole(V.bucket_by_sequence_length(lambda x: tf.shape(x)[0], [2, 4], [3, 1, 2], drop_remainder=True))
whole(V.bucket_by_sequence_length(lambda x: tf.shape(x)[0], [2, 4, 6], [2, 2, 2, 2], pad_to_bucket_boundary=True))
whole(V.bucket_by_sequence_length(lambda x: tf.shape(x)[0], [3], [2, 2], padded_shapes=[7], padding_values=np.int64(9)))
whole(V.map(lambda x: (x, len_of(x))).bucket_by_sequence_length(lambda x, n: n, [3], [2, 2], padded_shapes=([None], [])))
whole(F(T3).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [3], [2, 2], no_padding=True))
whole(F(T3).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [5], [2, 2], pad_to_bucket_boundary=True))
whole(F(T3).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [5], [2, 2]))
whole(V.map(lambda x: (tf.tile(x[:, None], [1, 2]), tf.one_hot(1, 3))).bucket_by_sequence_length(lambda x, y: tf.shape(x)[0], [4, 7], [2, 2, 2], pad_to_bucket_boundary=True))
whole(V.map(lambda x: tf.tile(x[:, None], [1, 2])).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [4, 7], [2, 2, 2], padded_shapes=[None, 3], pad_to_bucket_boundary=True))
[list(x) for x in V.map(lambda x: tf.tile(x[:, None], [1, 2])).padded_batch(2)]
whole(V.map(lambda x: tf.tile(x[:, None], [1, 2])).padded_batch(3))
windows(D.range(7).window(3))
windows(D.range(7).window(3, drop_remainder=True))
windows(D.range(7).window(3, shift=2, stride=2))
windows(D.range(7).window(2, shift=3, stride=2, drop_remainder=True))
windows(D.range(7).window(2, 1, 3, True))
windows(D.range(7).window(10))
windows(D.range(7).window(2, shift=10))
windows(D.range(12).batch(2).window(2, shift=1))
[windows(w) for w in D.range(8).window(4).map(lambda w: w.window(2))]
[{k: ints(v) for k, v in w.items()} for w in F({"a": [1, 2, 3], "b": [4, 5, 6]}).window(2)]
[[ints(a), ints(b)] for a, b in D.zip(D.range(5), D.range(5, 10)).window(2, drop_remainder=True)]
whole(F({"a": [1, 2, 3, 4], "b": [5, 6, 7, 8]}).window(2).flat_map(lambda w: D.zip((w["a"].batch(2), w["b"].batch(2)))))
whole(D.range(7).window(3, 1).flat_map(lambda w: w.batch(3, drop_remainder=True)))
whole(D.range(4).interleave(lambda x: D.from_tensors(x).repeat(3), cycle_length=2, block_length=2))
whole(D.range(5).interleave(lambda x: D.from_tensors(x).repeat(x), cycle_length=3, block_length=1))
whole(D.range(5).interleave(lambda x: D.from_tensors(x).repeat(4 - x), cycle_length=2, block_length=3))
whole(D.range(4).interleave(lambda x: D.range(x, x + 3), cycle_length=10, block_length=2))
whole(D.range(3).interleave(lambda x: D.range(x), cycle_length=1))
whole(D.range(3).interleave(lambda x: D.range(2).map(lambda y: (x, y)), cycle_length=3, num_parallel_calls=2))
whole(D.range(4).flat_map(lambda x: D.range(x)))
whole(D.range(3).flat_map(lambda x: D.range(x).flat_map(lambda y: D.from_tensors((x, y)))))
whole(D.range(4).flat_map(lambda x: F([x, -x])))
whole(D.range(3).shuffle(1).repeat(2))
same_each_time(D.range(20).shuffle(20, seed=3, reshuffle_each_iteration=False))
same_each_time(D.range(20).shuffle(20, seed=3))
same_each_time(D.range(20).shuffle(20, seed=3, reshuffle_each_iteration=False).take(5))
same_each_time(D.range(20).shuffle(20, seed=3).cache())
sorted(ints(D.range(9).shuffle(4, seed=1).batch(2).unbatch()))
sorted(ints(D.range(5).shuffle(3).repeat(2)))
whole(D.range(20).shuffle(20, seed=1).take(5).map(lambda x: x * 0))
whole(D.range(5).repeat(0))
whole(D.range(3).repeat(-1).take(7))
whole(D.range(3).repeat().batch(2).take(3))
whole(D.range(0).repeat().take(2))
whole(D.range(5).take(-1).skip(2))
whole(D.range(5).skip(-1))
whole(D.range(5).skip(9))
whole(D.range(5).take(0))
whole(D.range(5).repeat().skip(2).take(4))
whole(D.range(10).shard(3, 2))
whole(D.range(10).filter(lambda x: x % 3 == 0).batch(2))
whole(D.range(10).filter(lambda x: x > 99))
whole(D.range(10).take_while(lambda x: x * x < 20).map(lambda x: x + 1))
whole(F(([1, 2, 3], [4, 5, 6])).filter(lambda x, y: x > 1))
whole(D.range(3).concatenate(D.range(2).map(lambda x: x + 10)))
whole(D.range(4).batch(2).concatenate(D.range(3).batch(3)))
whole(D.range(3).repeat().concatenate(D.range(2)).take(4))
whole(D.range(3).filter(lambda x: x > 0).concatenate(D.range(2)))
whole(D.zip({"a": D.range(3), "b": (D.range(5), F([1.0, 2.0]))}))
whole(D.zip((D.range(3).repeat(), D.range(2))))
whole(D.zip((D.range(3).filter(lambda x: x > 0), D.range(2))))
whole(D.zip(D.range(3), (D.range(3), D.range(3))))
whole(D.zip(datasets=(D.range(2), D.range(2))))
whole(D.zip((D.range(2),)))
whole(D.range(2).enumerate(start=-1))
whole(F({"a": [1, 2]}).enumerate())
whole(D.range(3).map(lambda x: [x, x + 1]))
whole(D.range(3).map(lambda x: (x,)))
whole(D.range(3).map(lambda x: (x, (x + 1, {"z": x}))).batch(2))
whole(D.range(3).map(lambda x: 5))
whole(D.range(3).map(lambda x: 2.5).batch(3))
whole(D.range(2).map(lambda x: "a"))
whole(D.range(2).map(lambda x: np.array([1, 2])))
whole(D.range(3).map(lambda x: tf.one_hot(x, 3), num_parallel_calls=2, deterministic=False))
whole(D.range(3).map(lambda x: tf.ones([2, 3])).batch(2))
whole(D.range(4).batch(2).map(lambda x: tf.reduce_sum(x)))
whole(D.range(5).batch(2).map(lambda x: tf.cast(x, tf.float32)[:, None]))
whole(F(T3).map(lambda x: x[:1]).batch(2, drop_remainder=True))
whole(D.from_generator(lambda: iter([1, 2, 3]), output_signature=tf.TensorSpec([], tf.int32)))
whole(D.from_generator(lambda: iter([[1, 2], [3]]), output_signature=tf.TensorSpec([None], tf.float32)))
whole(D.from_generator(lambda: iter([([1, 2], "a")]), output_signature=(tf.TensorSpec([2], tf.int64), tf.TensorSpec([], tf.string))))
whole(D.from_generator(lambda: iter([{"a": 1, "b": [2.0]}]), output_signature={"a": tf.TensorSpec([], tf.int32), "b": tf.TensorSpec([None], tf.float32)}))
whole(D.from_generator(lambda: iter([1, 2]), output_types=tf.float32, output_shapes=[]))
whole(D.from_generator(lambda: iter([(1, 2)]), output_types=(tf.int32, tf.int64)))
whole(D.from_generator(lambda: iter([(1, [2])]), output_types=(tf.int32, tf.int64), output_shapes=([], [None])))
whole(D.from_generator(lambda a, b: (a + i * b for i in range(3)), tf.int32, args=(1, 2)))
whole(D.from_generator(lambda: iter([1, 2, 3]), output_signature=tf.TensorSpec([], tf.int32)).batch(2).repeat(2))
whole(D.from_generator(lambda: iter([]), output_signature=tf.TensorSpec([], tf.int32)))
whole(D.range(4).scan(np.int64(1), lambda s, x: (s * 2, s + x)))
whole(D.range(4).scan((np.int64(0), np.int64(1)), lambda s, x: ((s[1], s[0] + s[1]), s[0])))
D.range(5).reduce((np.int64(0), np.int64(1)), lambda s, x: (s[0] + x, s[1] * (x + 1)))
D.range(0).reduce(np.int64(7), lambda s, x: s + x)
D.range(6).batch(2).reduce(np.int64(0), lambda s, x: s + tf.reduce_sum(x))
whole(F([3, 1, 3, 2, 1]).unique())
whole(F(["b", "a", "b"]).unique())
whole(D.range(7).group_by_window(lambda x: x % 2, lambda k, d: d.batch(2), window_size=2))
whole(D.range(7).group_by_window(lambda x: x % 3, lambda k, d: d.map(lambda x: x + k), window_size=5))
whole(D.choose_from_datasets([F(["a"]).repeat(), F(["b"]), F(["c"]).repeat()], F(np.array([0, 1, 2, 1, 0]))))
whole(D.choose_from_datasets([F(["a"]).repeat(), F(["b"]), F(["c"]).repeat()], F(np.array([0, 1, 2, 1, 0])), stop_on_empty_dataset=False))
sorted(ints(D.sample_from_datasets([D.range(3), D.range(10, 12)], seed=1, stop_on_empty_dataset=False)))
whole(D.sample_from_datasets([D.range(3), D.range(9)], weights=[1.0, 0.0], stop_on_empty_dataset=True))
twice(D.range(3).cache().map(lambda x: x + 1))
twice(D.range(6).batch(4).cache().unbatch())
whole(D.range(3).cache().repeat(2))
twice(D.range(4).cache(fresh()))
twice(F({"a": [1, 2], "b": ["x", "y"]}).cache(fresh()))
twice(D.range(4).take(2).cache(fresh()).repeat(2))
whole(D.range(3).prefetch(1).prefetch(tf.data.AUTOTUNE))
whole(D.range(3).apply(tf.data.experimental.assert_cardinality(3)))
refused(lambda: list(D.range(3).apply(tf.data.experimental.assert_cardinality(4))))
whole(D.range(10).filter(lambda x: x < 4).apply(tf.data.experimental.assert_cardinality(4)).batch(3))
whole(D.counter(5, 2).take(3))
whole(D.range(6).batch(3).map(lambda x: x * 2).unbatch().batch(4))
whole(F((T3, [1, 2, 3])).batch(2).unbatch())
[x.numpy().tolist() for x in iter(D.range(3).batch(2))]
[type(x).__name__ for x in D.range(2).as_numpy_iterator()]
[type(x).__name__ for x in D.range(2).batch(2).as_numpy_iterator()]
[sorted(x) for x in F({"b": [1], "a": [2]}).as_numpy_iterator()]
next_twice(D.range(2).take(1))
""",
    "data": """
list(tf.data.Dataset.range(3).as_numpy_iterator())
list(tf.data.Dataset.range(1, 7, 2))
tf.data.Dataset.range(3).element_spec
[x for x in tf.data.Dataset.from_tensor_slices([1, 2])]
[x for x in tf.data.Dataset.from_tensor_slices((T, [1, 2]))]
list(tf.data.Dataset.from_tensor_slices({"a": [1, 2], "b": T}).as_numpy_iterator())
list(tf.data.Dataset.from_tensor_slices(["a", "b"]).as_numpy_iterator())
tf.data.Dataset.from_tensor_slices(T).element_spec
tf.data.Dataset.from_tensor_slices((T, [1, 2, 3]))
list(tf.data.Dataset.from_tensors(T))
list(tf.data.Dataset.from_tensors([1, 2]).repeat(2))
tf.data.Dataset.range(5).batch(2).element_spec.shape
list(tf.data.Dataset.range(5).batch(2))
list(tf.data.Dataset.range(5).batch(2, drop_remainder=True))
list(tf.data.Dataset.range(4).map(lambda x: x * 2))
list(tf.data.Dataset.range(2).map(lambda x: (x, tf.cast(x, tf.float32) / 2)))
list(tf.data.Dataset.range(2).map(lambda x: {"a": x}, num_parallel_calls=tf.data.AUTOTUNE))
list(tf.data.Dataset.range(2).map(lambda x: [x, x + 1]))
list(tf.data.Dataset.range(5).filter(lambda x: x % 2 == 0))
list(tf.data.Dataset.range(5).take(2))
list(tf.data.Dataset.range(5).skip(3))
list(tf.data.Dataset.range(5).shard(2, 1))
list(tf.data.Dataset.range(2).concatenate(tf.data.Dataset.range(2)))
list(tf.data.Dataset.range(2).enumerate(start=5))
list(tf.data.Dataset.zip((tf.data.Dataset.range(2), tf.data.Dataset.range(3))))
list(tf.data.Dataset.zip(tf.data.Dataset.range(2), tf.data.Dataset.range(3)))
list(tf.data.Dataset.range(2).flat_map(lambda x: tf.data.Dataset.from_tensors(x).repeat(2)))
list(tf.data.Dataset.range(3).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(2), cycle_length=2))
[list(w) for w in tf.data.Dataset.range(5).window(2)]
[list(w) for w in tf.data.Dataset.range(5).window(3, shift=1, drop_remainder=True)]
list(tf.data.Dataset.range(5).window(3, 1, drop_remainder=True).flat_map(lambda w: w.batch(3)))
list(tf.data.Dataset.range(4).batch(2).unbatch())
tf.data.Dataset.range(4).reduce(np.int64(0), lambda a, x: a + x)
tf.data.Dataset.range(4).reduce(0.0, lambda a, x: a + tf.cast(x, tf.float32))
list(tf.data.Dataset.range(3).cache().prefetch(tf.data.AUTOTUNE))
sorted(int(x) for x in tf.data.Dataset.range(4).shuffle(4, seed=1, reshuffle_each_iteration=True))
len(tf.data.Dataset.range(4))
len(tf.data.Dataset.range(4).repeat())
len(tf.data.Dataset.range(4).filter(lambda x: x > 1))
tf.data.Dataset.range(4).cardinality()
int(tf.data.Dataset.range(4).repeat().cardinality())
tf.data.experimental.cardinality(tf.data.Dataset.range(3))
tf.data.Dataset.range(3).padded_batch
list(tf.data.Dataset.range(1, 4).map(lambda x: tf.fill([x], x)).padded_batch(2))
list(tf.data.Dataset.range(1, 4).map(lambda x: tf.fill([x], x)).padded_batch(2, padded_shapes=[4]))
list(tf.data.Dataset.range(1, 3).map(lambda x: tf.fill([x], x)).padded_batch(2, [None], padding_values=tf.constant(9, tf.int64)))
list(tf.data.Dataset.from_generator(lambda: iter([1, 2]), output_types=tf.int32))
list(tf.data.Dataset.from_generator(lambda: iter([(1, 2.0)]), output_signature=(tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.float32))))
list(tf.data.Dataset.from_generator(lambda n: range(n), tf.int64, args=[3]))
next(iter(tf.data.Dataset.range(3)))
tf.data.Dataset.range(3).get_single_element()
tf.data.Dataset.range(1).get_single_element()
list(tf.data.Dataset.range(3).apply(lambda d: d.batch(2)))
list(tf.data.Dataset.range(5).take_while(lambda x: x < 3))
list(tf.data.Dataset.range(4).scan(np.int64(0), lambda s, x: (s + x, s + x)))
list(tf.data.Dataset.range(6).group_by_window(lambda x: x % 2, lambda k, d: d.batch(3), window_size=3))
list(tf.data.Dataset.from_tensor_slices([1, 1, 2]).unique())
list(tf.data.Dataset.random(seed=1).take(2).map(lambda x: x * 0))
list(tf.data.Dataset.range(3).rebatch(2))
list(tf.data.Dataset.range(4).batch(4).rebatch(2))
list(tf.data.Dataset.sample_from_datasets([tf.data.Dataset.range(2), tf.data.Dataset.range(2)], weights=[1.0, 0.0]))
list(tf.data.Dataset.choose_from_datasets([tf.data.Dataset.range(2), tf.data.Dataset.range(5, 7)], tf.data.Dataset.from_tensor_slices(np.array([0, 1, 0]))))
tf.data.Dataset.range(3).with_options(tf.data.Options()).element_spec
list(tf.data.Dataset.range(3).ragged_batch(2))
list(tf.data.Dataset.range(4).sparse_batch)
tf.data.Dataset.range(3).options() is None
tf.data.Dataset.counter
list(tf.data.Dataset.counter(start=2, step=3).take(2))
tf.data.experimental.Counter
tf.data.experimental.AUTOTUNE
tf.data.AUTOTUNE
tf.data.INFINITE_CARDINALITY
tf.data.UNKNOWN_CARDINALITY
tf.data.Dataset.list_files("/nonexistent/*")
isinstance(tf.data.Dataset.range(1), tf.data.Dataset)
bool(tf.data.Dataset.range(1))
list(tf.data.Dataset.range(3).map(lambda x: tf.py_function(lambda y: y + 1, [x], tf.int64)))
list(tf.data.Dataset.range(3).map(lambda x: x + 1, tf.data.AUTOTUNE))
list(tf.data.Dataset.from_tensor_slices([[1, 2], [3, 4]]).map(lambda x: x[0]))
list(tf.data.Dataset.from_tensor_slices(["a b", "c d"]).map(lambda s: tf.strings.split(s)))
list(tf.data.Dataset.from_tensor_slices([1.5]).map(lambda x: tf.where(x > 1, 1, 0)))
tf.data.TextLineDataset("/nonexistent")
tf.data.TFRecordDataset
tf.data.experimental.make_csv_dataset
tf.data.experimental.CsvDataset
tf.data.experimental.save
tf.data.Dataset.load
tf.data.DatasetSpec
tf.data.Iterator
""",
}

# ---------------------------------------------------------------- a few lines each


def squares(tf: Any) -> Any:
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    return tape.gradient(y, x)


def several_sources(tf: Any) -> Any:
    w, b = tf.Variable([[1.0], [2.0]]), tf.Variable([0.5])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(tf.matmul([[1.0, 2.0], [3.0, 4.0]], w) + b))
    return tape.gradient(loss, {"w": w, "b": [b]})


def watched(tf: Any) -> Any:
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = tf.reduce_sum(x**2)
        z = x * 3.0
    return tape.gradient(y, x), tape.gradient(z, x), tape.gradient(z, x, output_gradients=[1.0, 10.0])


def unconnected(tf: Any) -> Any:
    x, y = tf.Variable(1.0), tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        z = x * 2
    zeros = tape.gradient(z, y, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tape.gradient(z, y), zeros, tape.gradient(z, [x, y])


def asked_twice(tf: Any) -> Any:
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        z = x * 2
    tape.gradient(z, x)
    return tape.gradient(z, x)


def second_order(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        slope = inner.gradient(y, x)
    return slope, outer.gradient(slope, x)


def jacobians(tf: Any) -> Any:
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = tf.stack([x[0] * x[1], x[0] ** 2])
    return tape.jacobian(y, x)


def batch_jacobians(tf: Any) -> Any:
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x**2
    return tape.batch_jacobian(y, x)


def recording_stopped(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        with tape.stop_recording():
            y = x * x
        z = x + y
    return tape.gradient(z, x)


def tape_started_anew(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
        tape.reset()
        y = x * 5
    return tape.gradient(y, x), [v.name for v in tape.watched_variables()] != []


def gradient_of_integers(tf: Any) -> Any:
    x = tf.Variable(2)
    with tf.GradientTape() as tape:
        y = x * x
    return tape.gradient(y, x)


def gradient_of_several_targets(tf: Any) -> Any:
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y, z = x * x, 3.0 * x
    return tape.gradient([y, z], x)


def gradient_of_rows(tf: Any) -> Any:
    table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(table, [0, 0, 2]) * 2.0)
    return tf.convert_to_tensor(tape.gradient(y, table))


def special_gradients(tf: Any) -> Any:
    """At the points where conventions differ."""
    found = {}
    for name, function, at in (
        ("relu", tf.nn.relu, 0.0), ("relu6", tf.nn.relu6, 6.0), ("abs", tf.abs, 0.0), ("sqrt", tf.sqrt, 0.0),
        ("max", lambda x: tf.reduce_max(tf.stack([x, x])), 1.0), ("maximum", lambda x: tf.maximum(x, 1.0), 1.0),
        ("minimum", lambda x: tf.minimum(1.0, x), 1.0),
        ("flat", lambda x: tf.image.total_variation(tf.reshape(tf.stack([x, 1.0]), [1, 2, 1])), 1.0),
        ("clip", lambda x: tf.clip_by_value(x, 0.0, 1.0), 1.0), ("times", lambda x: tf.math.multiply_no_nan(2.0, x), 0.0),
        ("sign", tf.sign, 0.5), ("leaky", tf.nn.leaky_relu, 0.0), ("elu", tf.nn.elu, 0.0),
        ("norm", lambda x: tf.norm(tf.stack([x, x])), 0.0), ("pow", lambda x: x**2.0, 0.0),
        ("no_nan", lambda x: tf.math.divide_no_nan(1.0, x), 0.0), ("xlogy", lambda x: tf.math.xlogy(x, x), 0.0),
        ("l2", lambda x: tf.reduce_sum(tf.nn.l2_normalize(tf.stack([x, 2 * x]))), 0.0),
        ("prod", lambda x: tf.reduce_prod(tf.stack([x, x, 2.0])), 0.0),
        ("top_k", lambda x: tf.reduce_sum(tf.math.top_k(tf.stack([x, 3 * x]), 1).values), 1.0),
        ("std", lambda x: tf.math.reduce_std(tf.stack([x, 2 * x])), 1.0),
    ):  # fmt: skip
        found[name] = slope(tf, function, at)
    return found


def other_special_gradients(tf: Any) -> Any:
    """At more such points."""
    functions = {
        "floor": (tf.floor, 1.5),
        "round": (tf.round, 1.5),
        "cumprod": (lambda x: tf.reduce_sum(tf.math.cumprod(tf.stack([x, x, 2.0]))), 0.0),
        "selu": (tf.nn.selu, 0.0),
        "root": (lambda x: tf.where(x > 0, tf.sqrt(x), 0.0), 0.0),
    }
    return {name: slope(tf, *each) for name, each in functions.items()}


def slope(tf: Any, function: Callable[[Any], Any], at: float) -> Any:
    """The gradient of a function of one number."""
    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def averages(tf: Any) -> Any:
    v, means = tf.Variable([1.0, 2.0]), tf.train.ExponentialMovingAverage(0.9)
    means.apply([v])
    first = tf.identity(means.average(v))
    v.assign([3.0, 5.0])
    means.apply([v])
    return first, tf.identity(means.average(v))


def tables_that_grow(tf: Any) -> Any:
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, default_value=-1)
    table.insert(tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64))
    dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, -1.0, empty_key=-1, deleted_key=-2)
    dense.insert(tf.constant([3, 4], tf.int64), [0.5, 1.5])
    return table.lookup(tf.constant(["b", "c"])), table.size(), dense.lookup(tf.constant([4, 9], tf.int64))


def tables_of_files(tf: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "words.txt").write_text("red\t3\nblue\t5\n")
        index, name = tf.lookup.TextFileIndex, f"{folder}/words.txt"
        lines = tf.lookup.TextFileInitializer(name, tf.string, 0, tf.int64, index.LINE_NUMBER)
        columns = tf.lookup.TextFileInitializer(name, tf.string, 0, tf.int64, 1, delimiter="\t")
        asked = tf.constant(["blue", "red", "green"])
        return [tf.lookup.StaticHashTable(each, -1).lookup(asked) for each in (lines, columns)]


def no_tpu(tf: Any) -> Any:
    try:
        tf.distribute.cluster_resolver.TPUClusterResolver()
    except ValueError:
        return tf.distribute.get_strategy().num_replicas_in_sync
    return 0


def cases_of_tests(tf: Any) -> Any:
    class Case(tf.test.TestCase):
        def runTest(self) -> None:
            self.assertAllClose({"a": [tf.ones(2), tf.zeros(3)]}, {"a": [np.ones(2), np.zeros(3)]})
            self.assertAllEqual(tf.constant([1, 2]), [1, 2])
            self.assertAllInRange(tf.constant([0.1, 0.9]), 0.0, 1.0)
            self.assertShapeEqual(np.ones((2, 3)), tf.ones((2, 3)))
            self.assertNotAllClose(tf.ones(2), tf.zeros(2))

    result = Case().run()
    return None if result is None else len(result.failures) + len(result.errors)


def own_gradient(tf: Any) -> Any:
    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.identity(x), lambda upstream: tf.clip_by_norm(upstream, 0.5)

    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = clipped(v * v)
    return tape.gradient(y, v)


def compiled(tf: Any) -> Any:
    v = tf.Variable(1.0)

    @tf.function
    def step(x: Any, scale: Any = 2.0) -> Any:
        v.assign_add(x)
        return {"double": x * scale, "v": v + 0.0}

    return step(tf.constant(2.0)), step(tf.constant(1.0), scale=3.0), v


def compiled_for_a_signature(tf: Any) -> Any:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def total(x: Any) -> Any:
        return tf.reduce_sum(x)

    return total(tf.constant([1.0, 2.0])), total(tf.constant([3.0]))


def signature_refuses(tf: Any) -> Any:
    @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
    def total(x: Any) -> Any:
        return tf.reduce_sum(x)

    return total(tf.constant([1.0, 2.0, 3.0]))


def signature_fits(tf: Any) -> Any:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), {"a": tf.TensorSpec([], tf.float32)}])
    def scaled(x: Any, by: Any) -> Any:
        return tf.cast(x, tf.float32) * by["a"]

    answers = [scaled(tf.constant([1, 2]), {"a": 2.0}), scaled([3], {"a": tf.constant(1.0)})]
    for wrong in (tf.constant([[1, 2]]), tf.constant([1.0, 2.0]), [[1]]):
        try:
            answers.append(scaled(wrong, {"a": 2.0}))
        except TypeError:
            answers.append("refused")
    return answers


def branches_in_a_function(tf: Any) -> Any:
    @tf.function
    def choose(x: Any) -> Any:
        if tf.reduce_sum(x) > 0:
            return x
        return -x

    return choose(tf.constant([1.0, 2.0])), choose(tf.constant([-1.0, -2.0]))


def loops_in_a_function(tf: Any) -> Any:
    @tf.function
    def loop(n: Any) -> Any:
        total = tf.constant(0)
        for i in tf.range(n):
            total += i
        return total

    return loop(tf.constant(4))


def gradients_in_a_function(tf: Any) -> Any:
    w = tf.Variable([1.0, 2.0])
    optimizer = tf.keras.optimizers.SGD(0.1)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def train(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * x)
        optimizer.apply_gradients(zip(tape.gradient(loss, [w]), [w], strict=True))
        return loss

    return train(tf.constant([3.0, 4.0])), w


def data_sets_in_a_function(tf: Any) -> Any:
    data = tf.data.Dataset.range(4).map(lambda x: tf.cast(x, tf.float32))
    total = tf.Variable(0.0)
    for x in data.batch(2):
        total.assign_add(tf.reduce_sum(x))
    return total


def modules(tf: Any) -> Any:
    class Dense(tf.Module):
        def __init__(self, name: str | None = None):
            super().__init__(name=name)
            self.w = tf.Variable(tf.ones([2, 2]), name="w")
            self.b = tf.Variable(tf.zeros([2]), trainable=False, name="b")

        @tf.Module.with_name_scope
        def __call__(self, x: Any) -> Any:
            return tf.matmul(x, self.w) + self.b

    dense = Dense("plum")
    return (
        dense([[1.0, 2.0]]), dense.name, Dense().name, len(dense.variables), len(dense.trainable_variables),
        len(dense.non_trainable_variables), [v.name for v in dense.variables],
    )  # fmt: skip


def losses_of_a_gan(tf: Any) -> Any:
    real, fake = tf.constant([[2.0], [0.5]]), tf.constant([[-1.0], [0.3]])
    bce = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    return bce(tf.ones_like(real), real) + bce(tf.zeros_like(fake), fake)


def gradient_penalty(tf: Any) -> Any:
    w = tf.Variable([[1.0], [2.0]])
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            score = tf.matmul(x, w) ** 2
        slopes = inner.gradient(score, [x])[0]
        penalty = tf.reduce_mean((tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1])) - 1.0) ** 2)
    return penalty, outer.gradient(penalty, w)


def style(tf: Any) -> Any:
    features = tf.constant(DATA["F"][None])
    result = tf.linalg.einsum("bijc,bijd->bcd", features, features)
    shape = tf.shape(features)
    return result / tf.cast(shape[1] * shape[2], tf.float32)


def dream(tf: Any) -> Any:
    image = tf.convert_to_tensor(DATA["F"])
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = tf.reduce_mean(image * image)
    slopes = tape.gradient(loss, image)
    slopes /= tf.math.reduce_std(slopes) + 1e-8
    return tf.clip_by_value(image + slopes * 0.01, -1, 1)


def log_normal_density(tf: Any) -> Any:
    sample, mean, logvar = tf.constant([[0.5, 1.0]]), 0.0, tf.constant([[0.0, 0.1]])
    log2pi = tf.math.log(2.0 * np.pi)
    return tf.reduce_sum(-0.5 * ((sample - mean) ** 2.0 * tf.exp(-logvar) + logvar + log2pi), axis=1)


def returns_of_an_episode(tf: Any) -> Any:
    rewards = tf.constant([1.0, 0.0, 2.0])
    n = tf.shape(rewards)[0]
    returns = tf.TensorArray(dtype=tf.float32, size=n)
    rewards, total = tf.cast(rewards[::-1], dtype=tf.float32), tf.constant(0.0)
    for i in tf.range(n):
        total = rewards[i] + 0.9 * total
        total.set_shape(total.shape)
        returns = returns.write(i, total)
    returns = returns.stack()[::-1]
    return (returns - tf.math.reduce_mean(returns)) / (tf.math.reduce_std(returns) + 1e-7)


def positions(tf: Any) -> Any:
    depths = np.arange(4)[np.newaxis, :] / 4
    angles = np.arange(3)[:, np.newaxis] / (10000**depths)
    return tf.cast(np.concatenate([np.sin(angles), np.cos(angles)], axis=-1), dtype=tf.float32)


def attention(tf: Any) -> Any:
    q = tf.constant(DATA["C"])
    scores = tf.matmul(q, q, transpose_b=True) / tf.math.sqrt(tf.cast(tf.shape(q)[-1], tf.float32))
    mask = 1 - tf.linalg.band_part(tf.ones((3, 3)), -1, 0)
    return tf.nn.softmax(scores + mask * -1e9, axis=-1)


def masked_loss(tf: Any) -> Any:
    real, logits = tf.constant([[1, 0]]), tf.constant([[[0.1, 0.9], [0.8, 0.2]]])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")(real, logits)
    mask = tf.cast(tf.math.logical_not(tf.math.equal(real, 0)), dtype=loss.dtype)
    return tf.reduce_sum(loss * mask) / tf.reduce_sum(mask)


def windows_of_a_series(tf: Any) -> Any:
    data = tf.data.Dataset.from_tensor_slices(np.arange(6.0, dtype="float32"))
    data = data.window(4, shift=1, drop_remainder=True).flat_map(lambda w: w.batch(4))
    data = data.map(lambda w: (w[:-1], w[-1:])).batch(2).prefetch(1)
    return list(data)


def letters_of_a_text(tf: Any) -> Any:
    ids = tf.keras.layers.StringLookup(vocabulary=["a", "b"], mask_token=None)(tf.strings.unicode_split("abz", "UTF-8"))
    data = tf.data.Dataset.from_tensor_slices(ids).batch(2, drop_remainder=True)
    return ids, list(data)


def sampling_of_letters(tf: Any) -> Any:
    logits = tf.constant([[0.0, 100.0]]) / 1.0
    found = tf.random.categorical(logits, num_samples=1)
    return tf.squeeze(found, axis=-1), tf.random.categorical(logits, num_samples=1)[-1, 0].numpy()


def actions_of_a_q_network(tf: Any) -> Any:
    q_values, actions = tf.constant([[1.0, 2.0], [3.0, 4.0]]), [1, 0]
    mask = tf.one_hot(actions, 2)
    return tf.reduce_sum(q_values * mask, axis=1, keepdims=True), np.argmax(q_values[0])


def own_loss(tf: Any) -> Any:
    def huber(y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        small = tf.abs(error) < 1
        return tf.where(small, tf.square(error) / 2, tf.abs(error) - 0.5)

    return huber(tf.constant([1.0, 2.0]), [1.5, 5.0])


def own_layer(tf: Any) -> Any:
    class Scaled(tf.keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=[shape[-1]], initializer="ones")

        def call(self, inputs: Any) -> Any:
            return inputs * self.scale / tf.cast(tf.shape(inputs)[-1], tf.float32)

        def compute_output_shape(self, shape: Any) -> Any:
            return tf.TensorShape(shape)

    layer = Scaled()
    return layer(DATA["T"]), layer.weights[0].shape, len(layer.trainable_variables)


def labels_of_a_path(tf: Any) -> Any:
    parts = tf.strings.split("flowers/rose/1.png", "/")
    names = np.array(["rose", "tulip"])
    return parts[-2], parts[-2] == names, tf.argmax(tf.cast(parts[-2] == names, tf.int32))


def tables_in_files(tf: Any) -> Any:
    import tempfile

    made, one = tf.data.experimental.make_csv_dataset, tf.data.experimental.CsvDataset
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.csv"
        pathlib.Path(path).write_text('age,name,score\n1,bo,2.5\n2,"al, x",3\n,zed,4e3\n')
        how: dict[str, Any] = {"batch_size": 2, "num_epochs": 1, "shuffle": False}
        return (
            list(made(path, **how)),
            list(made(path, label_name="score", **how)),
            list(made(path, select_columns=["age", "score"], **how)),
            list(made(path, column_defaults=[0, "", "0.0"], **how)),
            list(made(path, column_names=["a", "b", "c"], **how)),
            len(list(made(path, batch_size=2, shuffle=False).take(4))),
            list(one(path, [0, "", 0.0], header=True)),
            list(one(path, [tf.string, tf.float32], header=True, select_cols=[1, 2])),
        )


def files(tf: Any) -> Any:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tf.io.write_file(f"{folder}/a.txt", "one\ntwo\n")
        with tf.io.gfile.GFile(f"{folder}/b.txt", "w") as file:
            file.write("three")
        lines = list(tf.data.TextLineDataset([f"{folder}/a.txt", f"{folder}/b.txt"]).skip(1).as_numpy_iterator())
        names = sorted(tf.io.gfile.listdir(folder))
        found = [bytes(path.numpy())[-5:] for path in tf.data.Dataset.list_files(f"{folder}/*", shuffle=False)]
        return lines, names, found, tf.io.read_file(tf.constant(f"{folder}/b.txt")), tf.io.gfile.exists(folder)


def vocabularies(tf: Any) -> Any:
    vectorize = tf.keras.layers.TextVectorization(output_sequence_length=4)
    vectorize.adapt(tf.data.Dataset.from_tensor_slices(["a plum a fig", "a fig"]).batch(2))
    return vectorize(tf.constant(["a fig tree"])), vectorize.get_vocabulary()


def one_step_of_keras(tf: Any) -> Any:
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, kernel_initializer="ones")])
    x, y = tf.constant(DATA["T"]), tf.constant([[1.0], [2.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.keras.losses.mean_squared_error(y, model(x, training=True)))
    slopes = tape.gradient(loss, model.trainable_variables)
    tf.keras.optimizers.Adam(0.01).apply_gradients(zip(slopes, model.trainable_variables, strict=True))
    return loss, slopes, model.trainable_variables[0]


def files_of_records(tf: Any) -> Any:
    import tempfile

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("", "GZIP", "ZLIB"):
            with tf.io.TFRecordWriter(f"{folder}/a", kind or None) as writer:
                for size in (0, 3, 700, 5000):
                    writer.write(bytes(at * 7 % 251 for at in range(size)))
            read = tf.data.TFRecordDataset(f"{folder}/a", compression_type=kind)
            found += [hash_of(record.numpy()) for record in read]
            read = tf.data.TFRecordDataset([f"{folder}/a", f"{folder}/a"], kind).skip(2).take(3)
            found += [len(record.numpy()) for record in read]
        with tf.io.TFRecordWriter(f"{folder}/b") as writer:
            for at in range(3):
                writer.write(example(tf, x=[float(at)], y=[at]).SerializeToString())
        plain = pathlib.Path(f"{folder}/b").read_bytes()
        described = {"x": tf.io.FixedLenFeature([], tf.float32), "y": tf.io.FixedLenFeature([], tf.int64)}
        rows = tf.data.TFRecordDataset(f"{folder}/b").map(lambda raw: tf.io.parse_single_example(raw, described))
        batches = tf.data.TFRecordDataset(f"{folder}/b").batch(2).map(lambda raw: tf.io.parse_example(raw, described))
        files = tf.data.Dataset.from_tensor_slices([f"{folder}/a", f"{folder}/b"]).skip(1)
        mixed = files.interleave(tf.data.TFRecordDataset, cycle_length=2)
        return found, len(plain), hash_of(plain[:12]), list(rows), list(batches), len(list(mixed))


def hash_of(data: bytes) -> int:
    return zlib.crc32(data)


def lines_and_pieces(tf: Any) -> Any:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(f"{folder}/a").write_bytes(b"one\r\ntwo\x0bhalf\n\nthree")
        lines = [line.numpy() for line in tf.data.TextLineDataset([f"{folder}/a"] * 2)]
        turns = [line.numpy() for line in tf.data.TextLineDataset([f"{folder}/a"] * 2, num_parallel_reads=2)]
        pieces = [each.numpy() for each in tf.data.FixedLengthRecordDataset(f"{folder}/a", 5, 2, 3)]
        return lines, turns, pieces


PROGRAMS: list[Callable[[Any], Any]] = [
    squares, several_sources, watched, unconnected, asked_twice, second_order, jacobians, batch_jacobians,
    recording_stopped, tape_started_anew, gradient_of_integers, gradient_of_several_targets, gradient_of_rows,
    special_gradients, other_special_gradients, own_gradient, compiled, compiled_for_a_signature, signature_refuses, signature_fits, branches_in_a_function,
    loops_in_a_function, gradients_in_a_function, data_sets_in_a_function, modules, losses_of_a_gan, gradient_penalty,
    style, dream, log_normal_density, returns_of_an_episode, positions, attention, masked_loss, windows_of_a_series,
    letters_of_a_text, sampling_of_letters, actions_of_a_q_network, own_loss, own_layer, labels_of_a_path, files,
    vocabularies, one_step_of_keras, files_of_records, lines_and_pieces, tables_in_files, averages, tables_that_grow,
    tables_of_files, no_tpu, cases_of_tests,
]  # fmt: skip

# ---------------------------------------------------------------- answers


def tensors_of_other_kinds(tf: Any) -> dict[str, Any]:
    return {
        "R": tf.ragged.constant([[1, 2], [], [3]]),
        "R2": tf.ragged.constant([[[1], [2, 3]], [[4]]]),
        "W": tf.ragged.constant([["a", "b"], ["c"]]),
        "SP": tf.SparseTensor([[0, 0], [0, 2], [1, 1]], [1.0, 2.0, 3.0], [2, 3]),
    }


def example(tf: Any, **lists: list) -> Any:
    """An example of lists by name; an empty one is a feature of no kind."""
    kinds = {bytes: ("bytes_list", "BytesList"), float: ("float_list", "FloatList"), int: ("int64_list", "Int64List")}

    def feature(values: list) -> Any:
        if not values:
            return tf.train.Feature()
        name, kind = kinds[type(values[0])]
        return tf.train.Feature(**{name: getattr(tf.train, kind)(value=values)})

    features = {name: feature(values) for name, values in lists.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))


def examples(tf: Any) -> dict[str, Any]:
    lists = {"w": [[1], [2, 3]], "v": [[1.0, 2.0], [3.0, 4.0]]}
    sequence = tf.train.SequenceExample(
        context=example(tf, n=[2]).features,
        feature_lists=tf.train.FeatureLists(
            feature_list={
                name: tf.train.FeatureList(feature=[example(tf, x=row).features.feature["x"] for row in rows])
                for name, rows in lists.items()
            }
        ),
    )
    return {
        "example": example, "P": tf.io.parse_single_example, "PE": tf.io.parse_example, "E": tf.train.Example,
        "ONE": example(tf, x=[1.0, 2.5], y=[-3, 4], s=[b"ab"], z=[]).SerializeToString(),
        "TWO": example(tf, x=[3.0], s=[b"c"]).SerializeToString(),
        "THREE": example(tf, x=[1.0, 2.0, 3.0], y=[1, 0, 2]).SerializeToString(),
        "SEQUENCE": sequence.SerializeToString(),
    }  # fmt: skip


def pictures_and_scores(tf: Any) -> dict[str, Any]:
    spoken = [[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1]]
    return {
        "I": np.zeros([1, 6, 6, 3], "float32"),
        "B": np.array([[[0.1, 0.1, 0.7, 0.9], [0.4, 0.4, 0.4, 0.6], [-0.2, 0.5, 1.3, 0.8]]], "float32"),
        "bx": np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3], [0, 0, 1, 0.9], [0, 2.05, 1, 3]], "float32"),
        "sc": np.array([0.9, 0.8, 0.7, 0.6, 0.95], "float32"),
        "lg": np.log(np.array(spoken, "float32"))[:, None],
    }


def pipelines(tf: Any) -> dict[str, Any]:
    data = tf.data.Dataset

    def spec(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: spec(inner) for name, inner in part.items()}
        if isinstance(part, tuple):
            return [spec(inner) for inner in part]
        known = part.shape is not None and getattr(part.shape, "rank", 0) is not None
        name = "string" if getattr(part.dtype, "kind", "") == "U" else part.dtype.name
        return [NARROW.get(name, name), list(part.shape) if known else None]

    def whole(made: Any) -> list:
        """The elements of a data set, and what is known before they are made: specs and their number."""
        return [list(made), spec(made.element_spec), int(made.cardinality())]

    def refused(function: Callable[[], Any]) -> bool:
        try:
            function()
        except Exception:
            return True
        return False

    def ints(made: Any) -> list:
        return [int(x) for x in made]

    def same_each_time(made: Any) -> bool:
        return ints(made) == ints(made)

    def next_twice(made: Any) -> list:
        each = iter(made)
        return [int(next(each)), next(each, None)]

    return {
        "D": data, "F": data.from_tensor_slices, "T3": np.arange(6, dtype="float32").reshape(3, 2),
        "V": data.range(1, 6).map(tf.range), "len_of": lambda x: tf.shape(x)[0],
        "whole": whole, "refused": refused, "ints": ints, "same_each_time": same_each_time, "next_twice": next_twice,
        "windows": lambda made: [int(made.cardinality()), [list(w) for w in made]],
        "twice": lambda made: [list(made), list(made), int(made.cardinality())],
        "fresh": lambda: f"{tempfile.mkdtemp()}/kept",
    }  # fmt: skip


MADE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "ragged": tensors_of_other_kinds, "rarest": tensors_of_other_kinds, "sparse": tensors_of_other_kinds,
    "records": examples, "rarer": pictures_and_scores, "pipelines": pipelines,
}  # fmt: skip
"""What the lines of a group name besides `DATA`, made by the library."""


NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


def questions() -> dict[str, list[tuple[str, Callable[[Any], Any]]]]:
    """Group -> (what is asked, the question as a function of the library)."""
    found = {
        group: [(line, asked(line, MADE.get(group, lambda tf: {}))) for line in filter(None, lines.split("\n"))]
        for group, lines in GROUPS.items()
    }
    return found | {"programs": [(program.__name__, program) for program in PROGRAMS]}


def asked(line: str, made: Callable[[Any], dict[str, Any]]) -> Callable[[Any], Any]:
    """An expression as a function of the library."""
    return lambda tf: eval(line, DATA | {"tf": tf} | made(tf))


def answer(question: Callable[[Any], Any], tf: Any) -> Any:
    """What a question is answered, as JSON holds it; "error" where it fails."""
    try:
        return plain(question(tf))
    except Exception:
        return "error"


def plain(x: Any) -> Any:
    """A value as JSON holds it: tensors with their dtype and shape, numbers with six digits."""
    if x is None or isinstance(x, (bool, int)):
        return x
    if type(x).__name__ == "DType":
        return {"dtype": x.name}
    if isinstance(x, float):
        return shortened(x)
    if isinstance(x, (str, bytes)):
        return x.decode("latin-1") if isinstance(x, bytes) else str(x)
    if type(x).__name__ == "TensorShape":
        return {"shape": None if x.rank is None else list(x)}
    if isinstance(x, dict):
        return {str(key): plain(value) for key, value in x.items()}
    if type(x).__name__ == "RaggedTensor":
        return {"splits": plain(x.nested_row_splits), "values": plain(x.flat_values)}
    if type(x).__name__ == "SparseTensor":
        return {"places": plain(x.indices), "values": plain(x.values), "shape": plain(x.dense_shape)}
    if isinstance(x, (list, tuple)):
        return [plain(value) for value in x]
    if hasattr(x, "dtype") and hasattr(x, "shape") and hasattr(x, "__array__"):
        return tensor(x.numpy() if hasattr(x, "numpy") else x)
    return "there"


def tensor(values: Any) -> dict[str, Any]:
    """A tensor as JSON holds it."""
    array = np.asarray(values)
    if array.dtype.kind in "OSU":
        flat = [each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in array.ravel().tolist()]
        return {"tensor": "string", "of": list(array.shape), "values": flat}
    name = NARROW.get(str(array.dtype), str(array.dtype))
    if array.dtype.kind == "c":
        return {"tensor": name, "of": list(array.shape), "values": tensor(np.stack([array.real, array.imag]))["values"]}
    flat = array.astype("float64").ravel().tolist() if array.dtype.kind not in "biu" else array.ravel().tolist()
    return {"tensor": name, "of": list(array.shape), "values": [shortened(x) if type(x) is float else x for x in flat]}


def shortened(x: float) -> Any:
    """A number with six digits; what JSON does not have, as text."""
    return float(f"{x:.6g}") if np.isfinite(x) else str(x)


if __name__ == "__main__":
    import tensorflow

    answers = {group: [answer(question, tensorflow) for _, question in asked] for group, asked in questions().items()}
    answers |= {"asked": {group: [what for what, _ in asked] for group, asked in questions().items()}}
    text = json.dumps({"made_with": {"tensorflow": tensorflow.__version__}, "answers": answers}, separators=(",", ":"))
    FILE.write_bytes(lzma.compress(text.encode(), preset=9))
