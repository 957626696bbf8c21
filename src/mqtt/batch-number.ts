/**
 * The numbers of the batches that one object sends. One that comes again has the same number, by which it is recognised; so two lives of an
 * object must not give the same, also where both began in the same millisecond, which is all that their epochs tell. Each begins at a salt.
 */

/** Numbers that one life has: more than it can use. */
const NUMBERS_OF_LIFE = 2 ** 36;

/** A number is a whole one below 2^53. */
const SALTS = 2 ** 16;

/** Which batch of its sender it is. */
export interface Numbered {
  readonly epoch: number;
  readonly number: number;
}

/** The number before that of the first batch. @param salt of the life, any whole number from 0 on */
export function firstNumber(salt: number): number {
  return (salt % SALTS) * NUMBERS_OF_LIFE;
}

/** Whether two batches of one sender are of the same life. */
export function areOfOneLife(one: Numbered, other: Numbered): boolean {
  return one.epoch === other.epoch && saltOf(one) === saltOf(other);
}

function saltOf({ number }: Numbered): number {
  return Math.floor(number / NUMBERS_OF_LIFE);
}
