/**
 * What RETAIN says of a message on its way to a client. A retained one for a new subscription has it; a live one only for a subscription
 * that wants it as it was published, which 3.x does not know: a 3.x client does not see it where a 5.0 client began its session.
 */

export const AS_PUBLISHED = "as published" as const;

export type Retain = boolean | typeof AS_PUBLISHED;
