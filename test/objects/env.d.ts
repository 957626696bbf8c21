import type { BrokerEnv } from "../../src/objects/env.ts";

declare global {
  namespace Cloudflare {
    /** What `env` of cloudflare:workers has: the bindings of wrangler.toml. */
    interface Env extends BrokerEnv {}
  }
}
