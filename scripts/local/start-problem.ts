/** Why a broker cannot start, as a sentence for its operator. */
export class StartProblem extends Error {}
