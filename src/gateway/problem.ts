/** Why a gateway cannot begin, or not go on as it was told: a sentence for its operator that holds no secret. */
export class GatewayProblem extends Error {}
