/** Colours are for terminals, and progress is told of what takes long. */

import { describe, expect, it } from "vitest";
import { hasColours, Progress, paint } from "../../src/cli/terminal.ts";

class Output {
  readonly isTTY: boolean;
  said = "";

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): boolean {
    this.said += text;
    return true;
  }
}

describe("colours", () => {
  it.each([
    ["a terminal", true, {}, true],
    ["a pipe", false, {}, false],
    ["NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["a terminal without colours", true, { TERM: "dumb" }, false],
    ["FORCE_COLOR", false, { FORCE_COLOR: "1", NO_COLOR: "1" }, true],
    ["FORCE_COLOR=0", true, { FORCE_COLOR: "0" }, false],
  ])("%s", (_what, isTTY, env, expected) => {
    expect(hasColours({ isTTY }, env)).toBe(expected);
  });

  it("the text alone goes into a pipe", () => {
    expect(paint("red", "no", new Output(false))).toBe("no");
  });
});

describe("progress", () => {
  it("is silent for a second, then tells a log now and then", () => {
    let now = 0;
    const output = new Output(false);
    const progress = new Progress(output, () => now);
    for (now = 0; now <= 25_000; now += 500) progress.tell(`${now} done`);
    progress.end();
    expect(output.said).toBe("1000 done ...\n11000 done ...\n21000 done ...\n");
  });

  it("shows a terminal one line, and takes it away at the end", () => {
    let now = 0;
    const output = new Output(true);
    const progress = new Progress(output, () => now);
    for (now = 900; now < 1300; now += 50) progress.tell(`${now}`);
    progress.end();
    const states = output.said.split("\r\u001b[K").map((each) => /(\d+) \.\.\./.exec(each)?.[1]);
    expect(states).toEqual([undefined, "1000", "1100", "1200", undefined]);
  });

  it("leaves nothing of what was quick", () => {
    const output = new Output(true);
    const progress = new Progress(output, () => 0);
    progress.tell("1 of 2");
    progress.end();
    expect(output.said).toBe("");
  });
});
