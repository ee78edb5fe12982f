"""Losses and what weights them."""

from tricklab.losses.class_weights import class_weights as class_weights
from tricklab.losses.loss_list import Losses as Losses
