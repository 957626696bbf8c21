/** How a command ends: its exit codes, and what went wrong as a sentence for whoever has called it. */

/** What was asked for is done. */
export const EXIT_DONE = 0;

/** It could not be done, and a sentence says why. */
export const EXIT_FAILED = 1;

/** The command line, or what was given in a file, is not what was expected: nothing was done. */
export const EXIT_USAGE = 2;

/** Why a command could not do what it should: one or several sentences, a line each, that hold no secret. */
export class Problem extends Error {
  readonly exitCode: number;

  constructor(sentences: string, exitCode: number = EXIT_FAILED) {
    super(sentences);
    this.exitCode = exitCode;
  }
}

/** The command was called in a way that it does not know. Whoever catches it says where help is. */
export class UsageProblem extends Problem {
  constructor(sentence: string) {
    super(sentence, EXIT_USAGE);
  }
}
