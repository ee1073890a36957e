# temporary stub by the lead: to be overwritten by the owner of losses
def check_shapes(loss, y_true_shape, y_pred_shape, owner): pass
def check_values(loss, y_true, num_classes, owner): pass
