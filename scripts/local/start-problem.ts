/** Why a broker cannot start, as a sentence for its operator. */
import { Problem } from "../../src/cli/problem.ts";

export class StartProblem extends Problem {}
