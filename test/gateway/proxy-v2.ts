/** PROXY headers of version 2, as load balancers write them. */

export interface ProxyV2 {
  readonly command?: number;
  /** Family and protocol; that of the address by default. */
  readonly family?: number;
  /** The address of the client: four bytes or sixteen. */
  readonly source: readonly number[];
  /** Bytes behind the addresses. */
  readonly more?: number;
}

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

export function proxyV2({ command = 0x21, source, family = source.length === 16 ? 0x21 : 0x11, more = 0 }: ProxyV2): Buffer {
  const isWhole = source.length === 4 || source.length === 16;
  const addresses = isWhole ? Buffer.from([...source, ...source.map(() => 0), 0xdb, 0x44, 0x07, 0x5b]) : Buffer.from(source);
  const body = Buffer.concat([addresses, Buffer.alloc(more, 0xee)]);
  return Buffer.concat([SIGNATURE, Buffer.of(command, family, body.length >> 8, body.length & 0xff), body]);
}
