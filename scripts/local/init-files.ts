/** The files of a new project: a broker in a Worker of one's own, as docs/embed.md has it. Texts alone; who writes them is init-command.ts. */

export interface Project {
  /** Of the Worker: part of its address. */
  readonly name: string;
  /** Where npm finds this package: a version, or a file. */
  readonly source: string;
  /** What it is made with: versions, by the names of packages. */
  readonly tools: Readonly<Record<string, string>>;
}

/** @returns texts by their paths in the project */
export function filesOf(project: Project): Readonly<Record<string, string>> {
  return {
    "package.json": packageJson(project),
    "wrangler.toml": wranglerToml(project),
    "tsconfig.json": TSCONFIG,
    "src/worker.ts": WORKER,
    ".dev.vars": DEV_VARS,
    ".dev.vars.example": DEV_VARS_EXAMPLE,
    ".gitignore": GITIGNORE,
    "README.md": readme(project),
  };
}

function packageJson({ name, source, tools }: Project): string {
  const contents = {
    name,
    private: true,
    type: "module",
    // Wrangler's own; npm would take an older one that knows no such compatibility date.
    engines: { node: ">=22.12.0" },
    scripts: { dev: "wrangler dev", deploy: "wrangler deploy", types: "tsc" },
    dependencies: { "durable-mqtt": source },
    devDependencies: tools,
  };
  return `${JSON.stringify(contents, undefined, 2)}\n`;
}

const WORKER = `import { type BrokerBindings, defineBroker } from "durable-mqtt";

const broker = defineBroker({
  settings: { TOPOLOGY: "compact" },
  onPublish: ({ properties }, { clientId }) => ({ properties: { ...properties, userProperties: [["from", clientId]] } }),
});
export const { SessionObject, TopicObject, DirectoryObject, MqttService } = broker;
export default {
  fetch: async (request, env, context) => (await broker.fetch(request, env, context)) ?? new Response("Not found", { status: 404 }),
} satisfies ExportedHandler<BrokerBindings>;
`;

function wranglerToml({ name }: Project): string {
  return `name = "${name}"
main = "src/worker.ts"
compatibility_date = "2026-07-15"
compatibility_flags = ["no_web_socket_compression"]

[[durable_objects.bindings]]
name = "SESSIONS"
class_name = "SessionObject"

[[durable_objects.bindings]]
name = "TOPICS"
class_name = "TopicObject"

[[durable_objects.bindings]]
name = "DIRECTORY"
class_name = "DirectoryObject"

# Append only: never change a migration that was deployed.
[[migrations]]
tag = "v1"
new_sqlite_classes = ["SessionObject", "TopicObject", "DirectoryObject"]

[observability]
enabled = true

# Settings that are no secrets, as text; those in src/worker.ts win. Secrets never stand here: see README.md.
[vars]
`;
}

const TSCONFIG = `${JSON.stringify(
  {
    compilerOptions: {
      target: "ES2024",
      lib: ["ES2024"],
      module: "ESNext",
      moduleResolution: "bundler",
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ["@cloudflare/workers-types"],
    },
    include: ["src"],
  },
  undefined,
  2,
)}\n`;

const GITIGNORE = `node_modules
.wrangler
.dev.vars
secrets.json
`;

/** For \`wrangler dev\`, which listens on this machine alone. */
const DEV_VARS = `# Settings and secrets of "npm run dev" on this machine; git ignores this file. What there is: .dev.vars.example
ALLOW_ANONYMOUS=true
`;

const DEV_VARS_EXAMPLE = `# Settings and secrets of "npm run dev" on this machine. Copy this file to .dev.vars, which git ignores, and take out the "#" before what you want.

# Lets clients in without a user name. A deploy does not have this: there nobody gets in before there are users.
# ALLOW_ANONYMOUS=true

# Who may connect: the entry that "npx durable-mqtt hash-password --user ada" prints, in single quotes.
# USERS='[{"user": "ada", "password": "pbkdf2-sha256$iterations$salt$hash", "publish": ["home/#"], "subscribe": ["home/#"]}]'

# Or whoever shows a token (JWT) that was signed with this secret, of 32 bytes or more; "npx durable-mqtt token" signs some.
# JWT_SECRET='a secret of your own, which nobody can guess'

# The bearer token of "npx durable-mqtt user" and "ban", and that of /metrics; 16 characters or more.
# ADMIN_TOKEN=a-token-of-your-own
# METRICS_TOKEN=a-token-of-your-own
`;

function readme({ name }: Project): string {
  return `# ${name}

An MQTT broker on Cloudflare Workers, made of [durable-mqtt](https://www.npmjs.com/package/durable-mqtt). \`src/worker.ts\` is all of it. It needs Node.js 22.12 or newer, because wrangler does.

\`\`\`sh
npm install
npm run dev        # on this machine: clients connect to ws://localhost:8787/mqtt
npx durable-mqtt sub -L ws://localhost:8787 -t '#' -v
npx durable-mqtt pub -L ws://localhost:8787 -t greetings -m hello
\`\`\`

On this machine everybody may connect, because \`.dev.vars\` says so. Nobody may connect to a deploy before it knows who: that is what secrets are for.

## Deploy

\`\`\`sh
npx durable-mqtt hash-password --user ada --secrets-file secrets.json     # asks for the password
npm run deploy -- --secrets-file secrets.json
npx durable-mqtt probe -L wss://${name}.YOUR-ACCOUNT.workers.dev -u ada -t home/probe --password-stdin
\`\`\`

## Secrets

They are in no file that git has, and not in \`wrangler.toml\`: Cloudflare keeps them, and shows them to nobody. \`npx wrangler secret put NAME\` asks for one and sets it;
\`npm run dev\` takes them from \`.dev.vars\`.

| Secret | What it is for |
|---|---|
| \`USERS\` | who may connect, with hashes of passwords: \`npx durable-mqtt hash-password\` |
| \`JWT_SECRET\`, or \`JWT_PUBLIC_KEY\` | whose tokens are taken: \`npx durable-mqtt token\` signs some |
| \`ADMIN_TOKEN\` | users and bans while the broker runs: \`ADMIN_TOKEN=... npx durable-mqtt user add bob --url https://...\` |
| \`METRICS_TOKEN\` | \`/metrics\` for Prometheus, as a bearer token |

Delete \`secrets.json\` when it is deployed, or keep it where you keep secrets. A secret that somebody has seen is set anew in the same way.

## What next

\`node_modules/durable-mqtt/docs\` has it: \`embed.md\` what \`src/worker.ts\` may do, \`settings.md\` all settings, \`security.md\` who gets in and what they may do,
\`operations.md\` deploys, users and metrics, \`costs.md\` what it costs.
`;
}
