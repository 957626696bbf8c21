import { describe, expect, it, vi } from "vitest";
import { Bucket, Buckets, isLimited, parseByteRate, parseRate, type Rate, UNLIMITED } from "../src/rate.ts";

const T = 1_700_000_000_000;

function rateOf(text: string): Rate {
  return parseRate(text)!;
}

describe("rates as they are written", () => {
  it.each([
    ["300/1m", { count: 300, ms: 60_000, burst: undefined }],
    ["300/5m", { count: 300, ms: 300_000, burst: undefined }],
    ["1000/h", { count: 1000, ms: 3_600_000, burst: undefined }],
    ["10/s", { count: 10, ms: 1000, burst: undefined }],
    ["300/1m + 1000/h", { count: 300, ms: 60_000, burst: { count: 1000, ms: 3_600_000 } }],
    ["unlimited", UNLIMITED],
    ["infinity", UNLIMITED],
  ])("reads %s", (text, rate) => {
    expect(parseRate(text)).toEqual(rate);
  });

  it.each([
    "",
    "300",
    "0/1m",
    "300/0m",
    "-1/1m",
    "300/1w",
    "300/",
    "/1m",
    "1.5/s",
    "300/1m+",
    "1/s+2/s+3/s",
    "1MB/s",
    "1/999999d",
    "1e3/s",
  ])("does not take %s for one", (text) => {
    expect(parseRate(text)).toBeUndefined();
  });

  it("reads bytes with their units", () => {
    expect(parseByteRate("1MB/1m")).toEqual({ count: 1_048_576, ms: 60_000, burst: undefined });
    expect(parseByteRate("64kb/s+1GB/d")).toEqual({ count: 65_536, ms: 1000, burst: { count: 1_073_741_824, ms: 86_400_000 } });
    expect(parseByteRate("1XB/s")).toBeUndefined();
    expect(isLimited(parseByteRate("100/s")!)).toBe(true);
    expect(isLimited(UNLIMITED)).toBe(false);
  });
});

describe("a bucket", () => {
  it("lets as many through at once as it holds, then one whenever one has come", () => {
    const bucket = new Bucket(rateOf("300/1m"), T);
    for (let count = 0; count < 300; count += 1) expect(bucket.take(1, T)).toBe(true);
    expect(bucket.take(1, T)).toBe(false);
    expect(bucket.waitMs(1, T)).toBe(200);
    expect(bucket.take(1, T + 199)).toBe(false);
    expect(bucket.take(1, T + 200)).toBe(true);
    expect(bucket.take(1, T + 200)).toBe(false);
  });

  it.each(["7/1s", "3/10s", "300/1m", "11/7m", "1/h"])(
    "never gives more than %s in the long run, and no less, however it is asked",
    (text) => {
      const rate = rateOf(text);
      const bucket = new Bucket(rate, T);
      let taken = 0;
      let random = 12_345;
      let now = T;
      while (now < T + 50 * rate.ms) {
        random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
        now += 1 + (random % Math.ceil((rate.ms / rate.count) * 0.02));
        while (bucket.take(1, now)) taken += 1;
      }
      const most = rate.count * (1 + (now - T) / rate.ms);
      expect(taken).toBeLessThanOrEqual(most + 1e-3);
      expect(taken).toBeGreaterThan(most - 3);
    },
  );

  it("takes what is larger than itself when it is full, and is in debt then", () => {
    const bucket = new Bucket(parseByteRate("1000/1s")!, T);
    expect(bucket.take(5000, T)).toBe(true);
    expect(bucket.waitMs(1, T)).toBe(4001);
    expect(bucket.take(1, T + 4000)).toBe(false);
    expect(bucket.take(1, T + 4001)).toBe(true);
    expect(bucket.take(5000, T + 4500)).toBe(false);
    expect(bucket.take(5000, T + 6000)).toBe(true);
  });

  it("has its burst once, which comes back by its own rate", () => {
    const bucket = new Bucket(rateOf("10/1s+100/1h"), T);
    let taken = 0;
    while (bucket.take(1, T)) taken += 1;
    expect(taken).toBe(110);
    taken = 0;
    for (let second = 1; second <= 36; second += 1) while (bucket.take(1, T + second * 1000)) taken += 1;
    expect(taken).toBe(361);
    expect(bucket.isFull(T + 40_000)).toBe(false);
    expect(bucket.isFull(T + 36_000 + 3_600_000)).toBe(true);
  });

  it("gives nothing for a clock that was set back, and goes on from there", () => {
    const bucket = new Bucket(rateOf("1/1s"), T);
    expect(bucket.take(1, T)).toBe(true);
    expect(bucket.take(1, T - 100_000)).toBe(false);
    expect(bucket.take(1, T - 99_500)).toBe(false);
    expect(bucket.take(1, T - 99_000)).toBe(true);
  });

  it("takes back what was not used, and no more than it holds", () => {
    const bucket = new Bucket(rateOf("2/1h"), T);
    expect(bucket.take(1, T) && bucket.take(1, T)).toBe(true);
    bucket.giveBack(1);
    expect(bucket.take(1, T)).toBe(true);
    bucket.giveBack(100);
    expect(bucket.isFull(T)).toBe(true);
    expect(bucket.take(1, T) && bucket.take(1, T) && bucket.take(1, T)).toBe(false);
  });

  it("takes back what was taken of its burst", () => {
    const bucket = new Bucket(rateOf("2/1h+5/1h"), T);
    for (let count = 0; count < 7; count += 1) expect(bucket.take(1, T)).toBe(true);
    for (let count = 0; count < 7; count += 1) bucket.giveBack(1);
    expect(bucket.isFull(T)).toBe(true);
  });
});

describe("buckets of many", () => {
  it("are looked through no more often than every so many new ones, though one of them is full each time", () => {
    const isFull = vi.spyOn(Bucket.prototype, "isFull");
    const max = 1000;
    const buckets = new Buckets(rateOf("1/1s"), max);
    // One becomes full with each millisecond, and one is new.
    for (let index = 0; index < 2 * max; index += 1) buckets.take(`${index}`, 1, T + index);
    expect(isFull.mock.calls.length).toBeLessThanOrEqual(20 * max);
    isFull.mockRestore();
  });
});
