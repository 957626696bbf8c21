/** `npm run build:page` and wrangler's own build step: builds the page into dist/page when its sources changed. */
import { buildPage } from "./bundle.ts";

await buildPage();
