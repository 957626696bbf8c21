/** The package comes without types. */
declare module "aedes-persistence-level" {
  export default function aedesPersistenceLevel(db: unknown): unknown;
}
