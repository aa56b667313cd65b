"""The model: two networks, one forward pass, one network's update a batch."""

import keras
import tensorflow as tf
from keras import ops

from balanced_gan import ema
from balanced_gan.augment import augment
from balanced_gan.balance import next_streak, repeat_again, whose_turn
from balanced_gan.distribute import draw, mean, share_of
from balanced_gan.losses import discriminator_loss, generator_loss, slope_gradients
from balanced_gan.networks import plain_copy
from balanced_gan.optimizers import build_optimizer
from balanced_gan.settings import Settings, check_value

R1_EVERY = 16  # turns of the discriminator, as in Karras et al. 2020: each time costs two
_SETTLING_SEED = 2_000_000  # and the next 31: of latents that set BatchNorm's statistics


class BalancedGAN(keras.Model):
    """A GAN whose generator and discriminator take turns so that neither overpowers the other.

    On each batch both networks run forward once, which gives both losses; `whose_turn`
    then picks the network that trains, and only that one runs backward. An average of the
    generator (`ema`) is kept from the first batch on and makes the pictures.

    Example:

    >>> gan = BalancedGAN(build_generator(), build_discriminator(), margin=0.7)
    >>> gan.compile()
    >>> gan.fit(dataset, epochs=10)  # batches of float32 (B, S, S, C) in [-1, 1]
    >>> pictures = gan.generate(20)

    Args:
        generator: functional or Sequential `keras.Model`, (B, latent_dim) ->
            (B, S, S, C) in [-1, 1].
        discriminator: `keras.Model`, (B, S, S, C) -> (B, 1) logits. No BatchNorm in it:
            real and generated pictures pass through it apart.
        margin: *e*, in nats: the turns keep |loss_G - loss_D| below it.
        balance: "margin" for the rule; "alternate" to take turns whatever the losses;
            "both" to train both networks on every batch, from the same forward pass;
            "usual" to train both, one after the other; "repeat" for the same and then the
            lagging one again until the gap is within the margin (see `repeat_again`).
        max_streak: most turns in a row for one network.
        augmentation: whether the discriminator sees pictures through `augment`.
        ema_decay: share of the past in the average of the generator's weights, in [0, 1).
        label_noise: the discriminator's targets are up to so much short of certain.
        r1: weight of the penalty on the discriminator's slope, see `losses.slope_penalty`.
        latent_prior: "normal" for latents from normal(0, 1), "uniform" for uniform(-1, 1).
        seed: of latents, augmentation and label noise.

    Raises:
        ValueError: if `balance` or `latent_prior` is unknown.
    """

    def __init__(
        self,
        generator,
        discriminator,
        margin=Settings.margin,
        balance=Settings.balance,
        max_streak=Settings.max_streak,
        augmentation=Settings.augmentation,
        ema_decay=Settings.ema_decay,
        label_noise=Settings.label_noise,
        r1=Settings.r1,
        latent_prior=Settings.latent_prior,
        seed=Settings.seed,
    ):
        super().__init__()
        check_value("balance", balance)
        check_value("latent_prior", latent_prior)
        self.generator = generator
        self.discriminator = discriminator
        self.ema_generator = plain_copy(generator)
        self.margin = margin
        self.balance = balance
        self.max_streak = 1 if balance == "alternate" else max_streak
        self.augmentation = augmentation
        self.ema_decay = ema_decay
        self.label_noise = label_noise
        self.r1 = r1
        self.latent_prior = latent_prior
        self.latent_dim = generator.input_shape[-1]
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Counters are variables so that checkpoints and compiled graphs carry them.
        self.generator_turns = self._counter("generator_turns")
        self.discriminator_turns = self._counter("discriminator_turns")
        self.streak = self._counter("streak")
        self.batches = self._counter("batches")
        # Of both optimizers; below 1 after training went astray (see `training.train`).
        self.learning_rate_factor = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="learning_rate_factor"
        )
        self.built = True

    @property
    def steps_done(self):
        """Batches trained, an int."""
        return int(self.batches.numpy())

    def _counter(self, name):
        return self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name=name
        )

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            generator_optimizer: a `keras.optimizers.Optimizer`; if None, `build_optimizer`
                with all its defaults.
            discriminator_optimizer: the same for the discriminator; its own instance.
            **kwargs: passed on to `keras.Model.compile`.
        """
        # XLA, which Keras may choose on its own, is far slower on a CPU.
        super().compile(optimizer=None, jit_compile=False, **kwargs)
        self.generator_optimizer = generator_optimizer or build_optimizer(
            Settings.generator_learning_rate, factor=self.learning_rate_factor
        )
        self.discriminator_optimizer = discriminator_optimizer or build_optimizer(
            Settings.discriminator_learning_rate,
            warm_up=Settings.discriminator_warm_up,
            factor=self.learning_rate_factor,
        )
        # Their slots must exist before a branch of the graph first uses them.
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, real):
        """One batch: losses, whose turn, update.

        Args:
            real: (B, S, S, C) float32 in [-1, 1], or points (B, 2).

        Returns:
            A dict of scalars: `loss_G`, `loss_D`, `gap` (of this batch), and
            `turn_G` and `turn_D`, how often each network trained on it.
        """
        self.batches.assign_add(1)
        if self.balance in ("usual", "repeat"):
            results = self._run(self._one_after_the_other, real)
            loss_g, loss_d, turn_g, turn_d = self._first(results)
        else:
            loss_g, loss_d, turn_g, turn_d = self._from_one_forward_pass(real)
        self.generator_turns.assign_add(turn_g)
        self.discriminator_turns.assign_add(turn_d)
        return {
            "loss_G": loss_g,
            "loss_D": loss_d,
            "gap": loss_g - loss_d,
            "turn_G": turn_g,
            "turn_D": turn_d,
        }

    def make_train_function(self, force=False):
        """Keras's, and with several replicas one that calls `train_step` outside of them: whose
        turn it is follows from the mean of all losses, and is the same for all."""
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            super().make_train_function(force)
        elif force or self.train_function is None:
            step = tf.function(self.train_step, autograph=False)
            self.train_function = lambda batches: step(next(batches))

    def _run(self, function, *args):
        """Calls a function on every replica; returns what each returns, as `tf.distribute` does."""
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:  # Keras is on it already
            return function(*args)
        return strategy.run(function, args=args)

    def _first(self, values):
        """Of values that are the same on all replicas, those of the first in this process."""
        results = map(self.distribute_strategy.experimental_local_results, values)
        return [result[0] for result in results]

    def _forward(self, real):
        """`(tape, loss_g, loss_d, mean_g, mean_d)`: both losses of one forward pass, for the
        gradients those of this replica's part of the batch, for the turn those of all of it."""
        latents = self.random_latents(ops.shape(real)[0])
        with tf.GradientTape(persistent=True) as tape:
            # training=True even when only the discriminator learns: shown pictures made
            # with moving statistics, it judges a generator that nobody trains, and both
            # losses sink to zero together.
            generated = self.generator(latents, training=True)
            loss_d, generated_logits = self._discriminator_loss(real, generated)
            loss_g = generator_loss(generated_logits)
        return tape, loss_g, loss_d, *mean([loss_g, loss_d])

    def _from_one_forward_pass(self, real):
        """Ours: forward once, losses, whose turn, that network's update.

        Returns:
            `(loss_g, loss_d, turn_g, turn_d)`, all scalars.
        """
        tape, own_g, own_d, *everyones = self._run(self._forward, real)
        loss_g, loss_d = self._first(everyones)

        def generator_trains():
            self._run(self._update_generator, tape, own_g)
            return 1

        def discriminator_trains():
            self._run(self._update_discriminator, tape, own_d, real)
            return 0

        if self.balance == "both":
            discriminator_trains()
            generator_trains()
            return loss_g, loss_d, 1, 1
        generator_turn = whose_turn(
            loss_g - loss_d, self.margin, self.streak.value, self.max_streak
        )
        turn_g = tf.cond(generator_turn, generator_trains, discriminator_trains)
        self.streak.assign(next_streak(self.streak.value, turn_g))
        return loss_g, loss_d, turn_g, 1 - turn_g

    def _one_after_the_other(self, real):
        """What is usual: a discriminator step, then a generator step that faces the changed
        discriminator; with balance "repeat", further steps of the one that lags.

        Returns:
            `(loss_g, loss_d, turn_g, turn_d)`, all scalars; the newest loss of each.
        """

        latents = self.random_latents(ops.shape(real)[0])

        def discriminator_step(generated, turns_before=0):
            with tf.GradientTape() as tape:
                loss_d, _ = self._discriminator_loss(real, generated)
            self._update_discriminator(tape, loss_d, real, turns_before)
            return loss_d

        with tf.GradientTape() as tape:
            generated = self.generator(latents, training=True)
            with tape.stop_recording():
                loss_d = discriminator_step(generated)
            loss_g = generator_loss(self._judge(generated))
        self._update_generator(tape, loss_g)
        loss_g, loss_d = mean([loss_g, loss_d])
        if self.balance == "usual":
            return loss_g, loss_d, 1, 1

        def discriminator_again(repeats):
            return discriminator_step(self.generator(latents, training=True), 1 + repeats)

        def generator_again():
            with tf.GradientTape() as tape:
                loss_g = generator_loss(self._judge(self.generator(latents, training=True)))
            self._update_generator(tape, loss_g)
            return loss_g

        first_gap = loss_g - loss_d

        def goes_on(repeats, loss_g, loss_d):
            return repeat_again(loss_g - loss_d, first_gap, self.margin, repeats, self.max_streak)

        def once_more(repeats, loss_g, loss_d):
            loss_g, loss_d = tf.cond(
                first_gap > 0,
                lambda: (generator_again(), loss_d),
                lambda: (loss_g, discriminator_again(repeats)),
            )
            return repeats + 1, loss_g, loss_d

        repeats, loss_g, loss_d = tf.while_loop(goes_on, once_more, (0, loss_g, loss_d))
        generator_repeats = ops.where(first_gap > 0, repeats, 0)
        return loss_g, loss_d, 1 + generator_repeats, 1 + repeats - generator_repeats

    def _discriminator_loss(self, real, generated):
        """Its loss, and the logits of the generated pictures."""
        real_logits, generated_logits = self._judge(real), self._judge(generated)
        noise = 0.0
        if self.label_noise:
            shape = ops.shape(real_logits)
            noise = draw(keras.random.uniform, shape, 0, self.label_noise, seed=self.seed_generator)
        return discriminator_loss(real_logits, generated_logits, noise), generated_logits

    def _judge(self, pictures):
        """Logits of pictures, seen through the augmentation."""
        if self.augmentation:
            pictures = augment(pictures, self.seed_generator)
        return self.discriminator(pictures, training=True)

    def _update_discriminator(self, tape, loss, real, turns_before=0):
        """One step of the discriminator; on every 16th turn its slope is part of it, 16
        times as heavy.

        `turns_before` of it on this batch are not yet counted in `discriminator_turns`.
        """
        variables = self.discriminator.trainable_variables
        gradients = tape.gradient(loss, variables)
        if self.r1:

            def with_penalty():
                seen = augment(real, self.seed_generator) if self.augmentation else real
                more = slope_gradients(self.discriminator, seen, R1_EVERY * self.r1)
                return [g + m for g, m in zip(gradients, more, strict=True)]

            due = (self.discriminator_turns.value + turns_before) % R1_EVERY == 0
            gradients = tf.cond(due, with_penalty, lambda: gradients)
        self.discriminator_optimizer.apply(share_of(gradients), variables)

    def _update_generator(self, tape, loss):
        """One step of the generator, and of the EMA generator after it."""
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(share_of(tape.gradient(loss, variables)), variables)
        ema.follow(self.ema_generator, self.generator, self.generator_turns, self.ema_decay)

    def settle(self, batches=32):
        """Makes the EMA generator fit to make pictures, see `ema.settle`; to be called before.

        Args:
            batches: of 8 latents, every one also negated so that chance cannot shift their mean.
                From the same weights, six times each, swd was 37 to 39 with 32 batches, 35 to 43
                with eight; from one of 64 latents without that, 36 to 54, all pictures being
                a little dark or pale.
        """
        halves = (self.random_latents(4, seed=_SETTLING_SEED + batch) for batch in range(batches))
        ema.settle(self.ema_generator, (ops.concatenate([half, -half]) for half in halves))

    def call(self, latents):
        """Pictures of latents, (B, latent_dim) -> (B, S, S, C), from the EMA generator, which
        must have been settled."""
        return self.ema_generator(latents)

    def random_latents(self, count, seed=None):
        """Latents, (count, latent_dim), from the model's own random stream or of a seed."""
        shape = count, self.latent_dim
        seed = self.seed_generator if seed is None else seed
        if self.latent_prior == "uniform":
            return draw(keras.random.uniform, shape, -1, 1, seed=seed)
        return draw(keras.random.normal, shape, seed=seed)

    def generate(self, count):
        """Pictures from the EMA generator.

        Args:
            count: how many.

        Returns:
            (count, S, S, C) float32 NumPy array in [-1, 1].
        """
        self.settle()
        return self.predict(self.random_latents(count), batch_size=64, verbose=0)
