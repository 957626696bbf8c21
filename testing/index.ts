/** `durable-mqtt/testing`: a broker for other people's tests, in Node (Miniflare) and in the Workers test pool. */

export type { Client, ConnectOptions } from "../src/client/index.ts";
export type { CodeSettings, SettingName } from "../src/settings.ts";
export { startBroker, type TestBroker, type TestBrokerOptions } from "./broker.ts";
export { connectThrough, type ThroughOptions, type Upgrader } from "./through.ts";
