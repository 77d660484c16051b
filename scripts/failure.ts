/** A reason not to do what was asked for, with what to do about it. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly remedy: string;
  /** 2 when the command line is wrong, as other tools have it. */
  readonly exitCode: 1 | 2;

  constructor(message: string, remedy: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.remedy = remedy;
    this.exitCode = exitCode;
  }
}

/** The command line is wrong. */
export function misused(message: string, remedy: string): Failure {
  return new Failure(message, remedy, 2);
}
