// The program's time, told by its answers, going on here in between.

const here = () => performance.now() / 1000;

export class Clock {
  constructor() {
    this.ahead = Date.now() / 1000 - here();
    this.heard = here();
    this.stoppedAt = null;
  }

  /** The program is alive, and this is its time, in seconds since 1970. */
  tell(time) {
    this.ahead = time - here();
    this.sign();
  }

  /** The program is alive. */
  sign() {
    this.heard = here();
    this.stoppedAt = null;
  }

  /** Contact is lost: nothing may seem to go on. */
  stop() {
    this.stoppedAt ??= this.heard;
  }

  get stopped() {
    return this.stoppedAt !== null;
  }

  now() {
    return (this.stoppedAt ?? here()) + this.ahead;
  }

  /** Seconds since the last sign of life. */
  silence() {
    return here() - this.heard;
  }
}
