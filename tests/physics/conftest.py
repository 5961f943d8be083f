"""Small tensors: a second thread costs more than it brings, above all where other tests run beside."""

import torch

torch.set_num_threads(1)
