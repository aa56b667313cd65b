"""The model on several replicas (GPUs, processes or machines), each with a part of every batch.

A single process that trains alone uses nothing from here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers, ops

from balanced_gan.model.gan import BalancedGAN, Forward


def replicated(gan_class: type[BalancedGAN]) -> type[BalancedGAN]:
    """Subclasses `BalancedGAN`, or a class of `presets.schedules`, for several replicas.

    Whose turn it is depends on the mean losses of the whole batch and is the same on all replicas,
    so it is decided outside of them. The networks themselves run on each replica.
    """

    class ReplicatedGAN(gan_class):  # type: ignore[valid-type, misc]
        def make_train_function(self, force=False):
            """As in Keras, but `train_step` is called outside of the replicas."""
            if force or self.train_function is None:
                step = tf.function(self.train_step, autograph=False)
                self.train_function = lambda batches: step(next(batches))

        def forward(self, real):
            passes = self._run(super().forward, real)
            return _ReplicatedForward(passes, self._mean(passes.loss_g), self._mean(passes.loss_d))

        def update_generator(self, forward):
            self._update(super().update_generator, forward)

        def update_discriminator(self, forward):
            self._update(super().update_discriminator, forward)

        def two_steps(self, real):
            """Only the schedules with two steps call this, and they run it as a whole."""
            loss_g, loss_d, turn_g, turn_d = self._run(super().two_steps, real)
            return self._mean(loss_g), self._mean(loss_d), turn_g, turn_d

        def draw(self, sampler, shape, *args):
            """Each replica gets its part of what a single one would draw."""
            context = tf.distribute.get_replica_context()
            if context is None:
                return super().draw(sampler, shape, *args)
            rows = shape[0]
            all_rows = super().draw(
                sampler, (context.num_replicas_in_sync * rows, *shape[1:]), *args
            )
            first = context.replica_id_in_sync_group * rows
            return all_rows[first : first + rows]

        def _update(self, update, forward):
            if isinstance(forward, _ReplicatedForward):
                self._run(update, forward.passes)
            else:  # within `two_steps`
                update(forward)

        def _run(self, function, *args):
            return self.distribute_strategy.run(function, args=args)

        def _mean(self, values):
            return self.distribute_strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)

    return ReplicatedGAN


class _ReplicatedForward(NamedTuple):
    """The `Forward` of each replica, and the mean losses of the whole batch."""

    passes: Forward
    loss_g: tf.Tensor
    loss_d: tf.Tensor


def replica_mean(values: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
    """The mean of each tensor over all replicas. Must be called on a replica."""

    # TensorFlow's own gradient must be taken in the same call of the replicas. Ours is taken in
    # another call, the update of the network whose turn it is.
    @tf.custom_gradient
    def mean_of(*own):
        means = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.MEAN, [tf.stop_gradient(value) for value in own]
        )
        return means, lambda *upstream: replica_mean(list(upstream))

    return mean_of(*values)


@keras.saving.register_keras_serializable("balanced_gan")
class SharedBatchNormalization(layers.BatchNormalization):
    """BatchNorm with the statistics of the whole batch, not of one replica's part.

    Keras has this too (`synchronized`), but its gradient can only be taken where the forward pass
    was called. Ours is taken later, in the turn of one network.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Shapes are those of Keras's layer, with channels last and no mask."""
        if not training:
            return super().call(inputs, training, mask)
        x = ops.cast(inputs, "float32")
        axes = list(range(len(inputs.shape) - 1))
        (moments,) = replica_mean([ops.stack([ops.mean(x, axes), ops.mean(ops.square(x), axes)])])
        middle = moments[0]
        variance = ops.maximum(moments[1] - ops.square(middle), 0)
        for moving, now in ((self.moving_mean, middle), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * now)
        offset, scale = (ops.cast(weight, "float32") for weight in (self.beta, self.gamma))
        normal = ops.batch_normalization(x, middle, variance, -1, offset, scale, self.epsilon)
        return ops.cast(normal, self.compute_dtype)


def shared_copy(network: keras.Model) -> keras.Model:
    """Copies a functional network so that its BatchNorm covers all replicas.

    The weights of the copy are in the same order.
    """

    def copy(layer):
        of_batches = isinstance(layer, layers.BatchNormalization)
        kind = SharedBatchNormalization if of_batches else type(layer)
        return kind.from_config(layer.get_config())

    shared = keras.models.clone_model(network, clone_function=copy)
    shared.set_weights(network.get_weights())
    return shared
