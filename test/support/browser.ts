/**
 * A real headless Chromium that comes from npm alone (@sparticuz/chromium, driven by playwright-core). Where it cannot start,
 * `launchBrowser` throws a sentence: a test fails then, it does not skip.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflate } from "@sparticuz/chromium";
import { type Browser, chromium } from "playwright-core";

const PACKAGE = dirname(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))));

/** @throws a sentence that says why no browser can start here */
export async function launchBrowser(): Promise<Browser> {
  try {
    const folder = await unpack();
    const launch = (libraries: string): Promise<Browser> =>
      chromium.launch({
        executablePath: join(folder, "chromium"),
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--no-zygote"],
        env: {
          ...process.env,
          FONTCONFIG_FILE: join(folder, "fonts.conf"),
          LD_LIBRARY_PATH: [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
        },
      });
    // The package's own libraries only where the machine lacks some: they may not fit a newer C library.
    return await launch("").catch((error: Error) => {
      if (!error.message.includes("error while loading shared libraries")) throw error;
      return launch(join(folder, "al2023", "lib"));
    });
  } catch (error) {
    const [sentence] = (error as Error).message.split("\n");
    throw new Error(`No browser can start on this machine, so nothing is known about browsers: ${sentence}`, { cause: error });
  }
}

/** @returns the folder with Chromium, its fonts and libraries; unpacked once for each version and machine, whole or not at all */
async function unpack(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")) as { version: string };
  const folder = join(tmpdir(), `durable-mqtt-chromium-${version}`);
  if (existsSync(folder)) return folder;
  const fresh = mkdtempSync(`${folder}-`);
  const { TMPDIR } = process.env;
  // `inflate` writes into the temporary folder of the moment at which it is called.
  process.env.TMPDIR = fresh;
  const files = ["chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br"].map((file) => inflate(join(PACKAGE, "bin", file)));
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  await Promise.all(files);
  // The package's own configuration knows only fixed folders; without any font Chromium crashes at the first password field.
  writeFileSync(
    join(fresh, "fonts.conf"),
    `<?xml version="1.0"?><fontconfig><dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`,
  );
  try {
    renameSync(fresh, folder);
  } catch {
    // Somebody else was faster.
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}
