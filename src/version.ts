/** The version of the package, where no package.json is: a test compares them. */
export const VERSION = "0.1.0";
