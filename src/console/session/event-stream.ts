/** Server-Sent Events of the HTTP API, read from `fetch`: `EventSource` could not show the token. */
import { createParser } from "eventsource-parser";

/** Resolves when the stream is over. @param take is called with each event; its data is JSON @throws what the stream fails with */
export async function readEvents(stream: ReadableStream<Uint8Array>, take: (event: string, data: unknown) => void): Promise<void> {
  const parser = createParser({ onEvent: ({ event = "message", data }) => take(event, JSON.parse(data)) });
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) parser.feed(decoder.decode(read.value, { stream: true }));
}
