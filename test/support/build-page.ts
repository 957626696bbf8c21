/** Before all tests, once: the page, which broker and wrangler serve. Built here so that parallel test files find it built. */
import { buildPage } from "../../scripts/build/bundle.ts";

export default buildPage;
