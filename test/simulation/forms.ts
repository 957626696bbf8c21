/**
 * Everything that is stored, moved or sent between objects, form by form and field by field: where it is read, and what would be there
 * if somebody forgot the field. Each is a mistake that the simulation must notice (mutations.ts), or has a reason why nobody would.
 */

import type { Mutation } from "./mutations.ts";

/** What a field becomes that was forgotten, as source text; or the same with what has to be said about it. */
type Forgotten = string | ForgottenField;

interface ForgottenField {
  readonly value: string;
  /** Within how many seeds it is noticed, where that is more than usual. */
  readonly seeds?: number;
  /** Why no run notices. */
  readonly unnoticed?: string;
  /** Only runs in which the numbers of objects change have it. */
  readonly reshaped?: true;
}

/** By path: `will.qos` is a field of a field, `sent[].qos` one of every item of a list. */
export type Fields = Readonly<Record<string, Forgotten>>;

export interface Form {
  readonly name: string;
  readonly file: string;
  /** The expression that reads it, as it stands in the file, where nothing else reads the same. */
  readonly read: string;
  /** Text before the expression that tells it from others like it. */
  readonly before?: string;
  /** What stands before what is made of it, where it was a name alone. */
  readonly as?: string;
  /** `rows`: a list of them is read. `message`: a Message, which is made anew. `records`: a batch, of whose records those that have the field. */
  readonly kind?: "rows" | "message" | "records";
  /** The interfaces that say which fields there are, by file, with the path before their names. */
  readonly of: readonly (readonly [file: string, name: string, prefix: string])[];
  readonly fields: Fields;
  readonly reshaped?: true;
}

/** Seeds within which the loss of a field is noticed as a rule. */
const SEEDS = 150;

const STATE = "src/session/state.ts";
const BATCH = "src/mqtt/batch.ts";
const MESSAGE = "src/mqtt/message.ts";

const MANY = "no client of the simulation has so many that they have rows of their own; test/session/pieces.test.ts has";

/** Of a session that has moved. */
const MOVED = { reshaped: true, seeds: 400 } as const;

const IN_LOG = "of a session that has rows the record in the log says it";

const OWNED = "no object of the simulation keeps so many retained messages that users have shares; test/routing/owners.test.ts has";

const ONE_PAGE = "no run retains more than a page, so that it is always the beginning; test/session/pieces.test.ts retains more";

const PAGES = "no run retains more than a page; test/restart/reshape.test.ts retains more";

const ANY_PLACE =
  "an object that is owed something by nobody asks everybody, from the least place on; test/session/pieces.test.ts compares";

const TOLD_APART =
  "what is in the log was told apart when it came, and is asked for that no more; it is part of a message wherever that is";

const BY_DELIVERY = "each delivery that moves says so itself";

const ANNOUNCED = "Session objects announce it anew before it matters: an older word than theirs is put right by the next";

const ROUTE: Fields = { filter: '"nothing"', sessionObject: '"n/session/9"', qos: "0", version: "0", members: "0", online: "0" };

/** Tests of moves have it (test/session/move.test.ts, test/restart/reshape.test.ts). */
const RARE = "it needs a session that moves twice, or while it is owed or given something: sixty seeds had none that showed it";

const SLOW = "no queue of the simulation is so long that publishers have to wait for it; test/objects and test/session have such";

const RECEIPTS = "clients do not ask who took their messages; test/simulation/receipts.test.ts has a Worker that does";

const OF_OLD = "rows of today do not have them; an older version wrote them";

const ANSWER_LOST =
  "one run in thousands loses an answer and has its receiver asleep before the repeat; test/routing/repeats.test.ts has it";

const RENAMED = "one run in ten thousand has such a message come again; test/restart/shared.test.ts has one";

const BY_LOGIN = "no right and no login of the simulation depends on it; test/session/rights.test.ts and move.test.ts have such";

/** What a session is, in whatever holds it. */
const SESSION: Fields = {
  expirySeconds: "0",
  expiresAt: "0",
  "identity.userName": "undefined",
  "identity.address": { value: '""', unnoticed: BY_LOGIN },
  "identity.grants": { value: '""', unnoticed: BY_LOGIN },
  "identity.expiresAt": { value: "0", unnoticed: "it ends a connection, which is in an attachment" },
  nextPacketId: "1",
  handledThrough: "0",
  sent: "[]",
  "sent[].packetId": "1",
  "sent[].qos": "1",
  "sent[].recordSequence": "0",
  "sent[].resending": "false",
  released: "[]",
  received: "[]",
  "received[].packetId": "1",
  "received[].sequence": "0",
  "received[].settled": "false",
  "received[].begunAt": "undefined",
  had: "[]",
  lacks: "[]",
  cameFrom: "[]",
  offered: "false",
  retired: "false",
  paged: { value: "false", unnoticed: MANY },
  owed: "[]",
  "owed[].filter": '""',
  "owed[].place": "0",
  "owed[].from": '""',
  withoutOwn: { value: "[]", unnoticed: "a rare moment at which an object must forget; test/session/owed-retained.test.ts has it" },
  parted: { value: "undefined", unnoticed: "only who looks at clients is told of it; test/session/service-calls.test.ts looks" },
  aliases: { value: "[]", unnoticed: OF_OLD },
};

const IDENTITY_OF: Form["of"][number] = ["src/session/ports.ts", "Identity", "identity."];

const SESSION_OF: Form["of"] = [
  [STATE, "SessionState", ""],
  IDENTITY_OF,
  [STATE, "SentDelivery", "sent[]."],
  ["src/session/received.ts", "ReceivedExchange", "received[]."],
  [STATE, "OwedRetained", "owed[]."],
];

function but(fields: Fields, changes: Readonly<Record<string, Forgotten>>): Fields {
  return { ...fields, ...changes };
}

function within(prefix: string, fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, forgotten]) => [`${prefix}${name}`, forgotten]));
}

const WILL: Fields = {
  "will.topic": '"w/nobody"',
  "will.qos": "0",
  "will.retain": "false",
  "will.payload": "new Uint8Array(0)",
  "will.properties": "{}",
  dueAt: "0",
  inGrace: "false",
  checked: { value: "true", unnoticed: OF_OLD },
  row: { value: "undefined", unnoticed: "it stands in the name of its row" },
  retryMs: { value: "undefined", unnoticed: "no row has it: after a start the times between two tries begin anew" },
  "identity.userName": { value: "undefined", unnoticed: BY_LOGIN },
  "identity.address": { value: '""', unnoticed: BY_LOGIN },
  "identity.grants": { value: '""', unnoticed: BY_LOGIN },
  "identity.expiresAt": { value: "0", unnoticed: BY_LOGIN },
};

const WILL_OF: Form["of"] = [
  ["src/session/pending-will.ts", "PendingWill", ""],
  [STATE, "StoredWill", ""],
  IDENTITY_OF,
  ["src/mqtt/packet.ts", "Will", "will."],
];

/** How a message is delivered, in whatever says so. */
const DUE_OF: Form["of"][number] = ["src/session/due.ts", "Due", ""];

/** What a message is, in whatever holds it. */
const MESSAGE_FIELDS: Fields = {
  topic: '"nowhere"',
  qos: "0",
  retain: "false",
  payload: "new Uint8Array(0)",
  propertyBytes: "new Uint8Array(0)",
  expiresAt: "0",
  publisher: '""',
  origin: '"nowhere@1"',
  sequence: "1",
  repeated: "false",
  settledBelow: "0",
  formerly: { value: "undefined", unnoticed: RENAMED },
  topicBytes: { value: "undefined", unnoticed: "it is the topic once more, and made from it where it is missing" },
};

const MESSAGE_OF: Form["of"] = [[MESSAGE, "MessageFields", ""]];

export const FORMS: readonly Form[] = [
  {
    name: "session row",
    file: "src/session/restore.ts",
    read: "decodeSessionState(intact(row).state)",
    of: [...SESSION_OF, [STATE, "StoredState", ""]],
    fields: but(SESSION, {
      "sent[].packetId": { value: "1", unnoticed: IN_LOG },
      "sent[].qos": { value: "1", unnoticed: IN_LOG },
      "sent[].resending": { value: "false", unnoticed: "only on a live connection it counts, and is in its attachment" },
      "received[].begunAt": { value: "undefined", ...MOVED },
      had: { value: "[]", ...MOVED },
      lacks: { value: "[]", ...MOVED },
      cameFrom: { value: "[]", ...MOVED },
      offered: { value: "false", ...MOVED },
      retired: { value: "false", unnoticed: "rare; test/restart/reshape.test.ts has it" },
      "owed[].from": { value: '""', unnoticed: ONE_PAGE },
      lastNumber: { value: "0", unnoticed: "only a clock that is set far back needs it; test/session/restore.test.ts sets it" },
    }),
  },
  {
    name: "attachment of a socket",
    file: "src/session/restore-connections.ts",
    read: "decodeAttachment(attachment)",
    of: [
      ["src/session/attachment.ts", "AttachedState", ""],
      ["src/session/connection-facts.ts", "ConnectionFacts", "facts."],
      ["src/session/given.ts", "StoredGiven", "given."],
      ["src/session/repeats.ts", "Seen", "given.seen[]."],
      [STATE, "StoredSubscription", "subscriptions[]."],
      ["src/mqtt/packet.ts", "SubscriptionRequest", "subscriptions[].request."],
      ...SESSION_OF.map(([file, name, prefix]) => [file, name, `session.${prefix}`] as const),
    ],
    fields: {
      clientId: '"nobody"',
      sessionNumber: "0",
      "facts.version": "4",
      "facts.keepAliveSeconds": "0",
      "facts.receiveMaximum": "65535",
      "facts.packetBytesMax": "Number.POSITIVE_INFINITY",
      "facts.topicAliasMaximum": "0",
      "facts.problemInformation": { value: "true", unnoticed: "no client of the simulation asks for none" },
      "facts.relayed": "false",
      "facts.bridge": { value: "false", unnoticed: "no client of the simulation is a bridge" },
      "facts.authenticationMethod": "undefined",
      lastSeenAt: "0",
      connectedAt: { value: "0", unnoticed: "only who looks at clients sees it; test/session/service-calls.test.ts does" },
      connectionNumber: { value: "0", unnoticed: MANY },
      aliases: "[]",
      given: { value: "undefined", unnoticed: ANSWER_LOST },
      "given.seen": { value: "[]", unnoticed: ANSWER_LOST },
      "given.seen[].key": { value: '""', unnoticed: ANSWER_LOST },
      "given.shared": { value: "[]", unnoticed: ANSWER_LOST },
      session: "undefined",
      subscriptions: "[]",
      "subscriptions[].request": '{ filter: "nothing", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }',
      "subscriptions[].request.filter": '"nothing"',
      "subscriptions[].request.qos": "0",
      "subscriptions[].request.noLocal": "false",
      "subscriptions[].request.retainAsPublished": "false",
      "subscriptions[].request.retainHandling": "0",
      "subscriptions[].identifier": "0",
      ...within("session.", {
        ...SESSION,
        "identity.expiresAt": { value: "Number.POSITIVE_INFINITY", seeds: 400 },
        "sent[].packetId": { value: "1", seeds: 400 },
        "sent[].qos": { value: "1", seeds: 400 },
        expiresAt: { value: "0", unnoticed: "it is 0 while a client is connected" },
        "sent[].resending": { value: "false", seeds: 400 },
        "received[].begunAt": { value: "undefined", ...MOVED },
        had: { value: "[]", ...MOVED },
        lacks: { value: "[]", ...MOVED },
        cameFrom: { value: "[]", unnoticed: "before a client is there its session has told all its former owners" },
        offered: { value: "false", unnoticed: "a session with a client is not offered, or its client is disconnected for it" },
        retired: { value: "false", unnoticed: "the same" },
        "owed[].place": { value: "0", unnoticed: ANY_PLACE },
        "owed[].from": { value: '""', unnoticed: ONE_PAGE },
      }),
    },
  },
  {
    name: "subscription row",
    file: "src/session/restore.ts",
    read: "core.store.subscriptions()",
    kind: "rows",
    of: [["src/session/ports.ts", "SubscriptionRow", ""]],
    fields: { sessionNumber: "0", filter: '"nothing"', options: "0", subscriptionIdentifier: "0" },
  },
  {
    name: "row of Topic Aliases",
    file: "src/session/restore-connections.ts",
    read: "core.store.aliases()",
    kind: "rows",
    of: [["src/session/ports.ts", "AliasRow", ""]],
    fields: {
      connectionNumber: { value: "0", unnoticed: MANY },
      alias: { value: "1", unnoticed: MANY },
      topic: { value: '"nothing"', unnoticed: MANY },
    },
  },
  {
    name: "row of retained messages that are owed",
    file: "src/session/restore.ts",
    read: "core.store.owed()",
    kind: "rows",
    of: [["src/session/ports.ts", "OwedRow", ""]],
    fields: {
      sessionNumber: { value: "0", unnoticed: MANY },
      id: { value: "0", unnoticed: MANY },
      filter: { value: '"nothing"', unnoticed: MANY },
      place: { value: '""', unnoticed: MANY },
      from: { value: '""', unnoticed: MANY },
    },
  },
  {
    name: "row of exchanges",
    file: "src/session/restore.ts",
    read: "core.store.exchanges()",
    kind: "rows",
    of: [["src/session/ports.ts", "ExchangeRow", ""]],
    fields: {
      sessionNumber: { value: "0", unnoticed: MANY },
      page: { value: "0", unnoticed: MANY },
      exchanges: { value: "new Uint8Array(0)", unnoticed: MANY },
    },
  },
  {
    name: "will row",
    file: "src/session/restore.ts",
    read: "decodeWill(intact(row).will)",
    of: WILL_OF,
    fields: WILL,
  },
  {
    name: "delivery in the heads of the log",
    file: "src/session/chunk-rows.ts",
    before: "if (take(",
    read: "head",
    of: [["src/session/chunk-heads.ts", "Head", ""]],
    fields: {
      sequence: "0",
      size: "0",
      sessionNumber: "0",
      packetId: "1",
      flags: "1",
    },
  },
  {
    name: "delivery in the log",
    file: "src/session/chunk.ts",
    before: "return { sequence, message, ",
    read: "recipients",
    as: "recipients: ",
    kind: "rows",
    of: [["src/session/chunk.ts", "Recipient", ""], DUE_OF],
    fields: {
      sessionNumber: "0",
      packetId: "1",
      qos: "1",
      retain: "false",
      identifiers: "undefined",
      share: '""',
      owed: "false",
    },
  },
  {
    name: "message in the log, with its recipients",
    file: "src/session/chunk.ts",
    before: "const message = ",
    read: "readStoredMessage(reader)",
    kind: "message",
    of: MESSAGE_OF,
    fields: MESSAGE_FIELDS,
  },
  {
    name: "message in the log",
    file: "src/session/chunk.ts",
    before: "return ",
    read: "readStoredMessage(reader)",
    kind: "message",
    of: MESSAGE_OF,
    fields: but(MESSAGE_FIELDS, { repeated: { value: "false", unnoticed: TOLD_APART } }),
  },
  {
    name: "session that moves",
    file: "src/session/arrive.ts",
    before: "const state = ",
    read: "decodeSessionState(last.state)",
    of: [...SESSION_OF, [STATE, "StoredState", ""]],
    fields: but(SESSION, {
      expiresAt: { value: "0", unnoticed: "its whole time begins anew where it comes" },
      handledThrough: { value: "0", unnoticed: BY_DELIVERY },
      sent: { value: "[]", unnoticed: BY_DELIVERY },
      "sent[].packetId": { value: "1", unnoticed: BY_DELIVERY },
      "sent[].qos": { value: "1", unnoticed: BY_DELIVERY },
      "sent[].recordSequence": { value: "0", unnoticed: BY_DELIVERY },
      "sent[].resending": { value: "false", unnoticed: BY_DELIVERY },
      offered: { value: "false", unnoticed: "where it comes it is offered to nobody" },
      retired: { value: "false", unnoticed: "the same" },
      "received[].settled": {
        value: "false",
        unnoticed: "what its publisher repeats is handed on once more then, and recognised by its name",
      },
      lacks: { value: "[]", unnoticed: RARE },
      cameFrom: { value: "[]", unnoticed: RARE },
      owed: { value: "[]", unnoticed: RARE },
      "owed[].filter": { value: '""', unnoticed: RARE },
      "owed[].place": { value: "0", unnoticed: RARE },
      "owed[].from": { value: '""', unnoticed: RARE },
      lastNumber: { value: "0", unnoticed: "its new owner gives numbers of its own" },
    }),
    reshaped: true,
  },
  {
    name: "will that moves",
    file: "src/session/arrive.ts",
    read: "decodeWill(last.will)",
    of: WILL_OF,
    fields: {
      ...WILL,
      dueAt: { value: "0", unnoticed: "it waits anew where it comes" },
      inGrace: { value: "false", unnoticed: "the same" },
    },
    reshaped: true,
  },
  {
    name: "subscription that moves",
    file: "src/session/arrive.ts",
    before:
      "function subscribeAsBefore(core: SessionCore, session: Session, subscriptions: readonly MovingSubscription[], shared: boolean): void {\n  for (const { filter, options, identifier } of ",
    read: "subscriptions",
    kind: "rows",
    of: [["src/session/move.ts", "MovingSubscription", ""]],
    fields: { filter: '"nothing"', options: "0", identifier: "0" },
    reshaped: true,
  },
  {
    name: "part of a session that moves",
    file: "src/session/arrive.ts",
    before: "const last = ",
    read: "parts.at(-1)!",
    of: [["src/session/move.ts", "MovingPart", ""]],
    fields: {
      state: { value: "undefined", unnoticed: "nothing can be read of it then: the session is not fetched, and its fields stand for it" },
      will: "undefined",
      had: "[]",
      settled: { value: "new Map()", unnoticed: RARE },
      deliveries: { value: "[]", unnoticed: "they are read from all parts; the fields of each stand for them" },
      through: { value: "0", unnoticed: RARE },
      next: { value: "undefined", unnoticed: "no session of the simulation has so much waiting that it moves in parts" },
    },
    reshaped: true,
  },
  {
    name: "delivery that moves",
    file: "src/session/arrive.ts",
    before: "    .flatMap(({ deliveries }) => ",
    read: "deliveries",
    kind: "rows",
    of: [["src/session/move.ts", "MovingDelivery", ""], DUE_OF],
    fields: {
      packetId: "1",
      qos: "1",
      retain: "false",
      identifiers: "undefined",
      share: '""',
      owed: "false",
      sent: "false",
      message: { value: "undefined", unnoticed: "nothing can be read of it then; the fields of the message stand for it" },
    },
    reshaped: true,
  },
  {
    name: "message that moves",
    file: "src/session/arrive.ts",
    before: "message: ",
    read: "readMessage(new RecordReader(each.message))",
    kind: "message",
    of: MESSAGE_OF,
    fields: MESSAGE_FIELDS,
    reshaped: true,
  },
  {
    name: "route row",
    file: "src/routing/core.ts",
    before: "for (const route of ",
    read: "options.store.routes()",
    kind: "rows",
    of: [["src/routing/ports.ts", "RouteRow", ""]],
    fields: {
      ...ROUTE,
      version: { value: "0", unnoticed: "only a call that runs again after a restart needs it; test/routing/core.test.ts makes one" },
      online: { value: "0", unnoticed: ANNOUNCED },
    },
  },
  {
    name: "route that another Topic object takes over",
    file: "src/objects/adoption.ts",
    read: "await peer.giveRoutes(adopter)",
    kind: "rows",
    of: [["src/routing/ports.ts", "RouteRow", ""]],
    fields: { ...ROUTE, version: { value: "0", unnoticed: ANNOUNCED }, online: { value: "0", unnoticed: ANNOUNCED } },
    reshaped: true,
  },
  {
    name: "retained message",
    file: "src/routing/retained.ts",
    read: "readStoredMessage(reader)",
    kind: "message",
    of: MESSAGE_OF,
    fields: but(MESSAGE_FIELDS, {
      retain: { value: "false", unnoticed: "it is sent with RETAIN to who subscribes, whatever it says; nobody else gets it" },
      origin: { value: '"nowhere@1"', unnoticed: "the Topic object gives it a name of its own" },
      sequence: { value: "1", unnoticed: "the same" },
      repeated: { value: "false", unnoticed: "the same" },
      settledBelow: { value: "0", unnoticed: "the same" },
      formerly: { value: "undefined", unnoticed: "the same" },
    }),
  },
  {
    name: "retained message that another Topic object takes over",
    file: "src/objects/adoption.ts",
    read: "await peer.giveRetained(adopter, from, stored)",
    kind: "rows",
    of: [["src/routing/ports.ts", "RetainedRow", ""]],
    fields: {
      topic: '"nothing"',
      message: "new Uint8Array(0)",
      expiresAt: {
        value: "0",
        unnoticed: "the message says it too, and is not sent; that its row goes, test/restart/reshape.test.ts demands",
      },
      owner: { value: "0", unnoticed: OWNED },
    },
    reshaped: true,
  },
  {
    name: "batch to a Topic object",
    file: "src/objects/exchanges.ts",
    before: "const batch = ",
    read: "decodeBatch(bytes)",
    of: [[BATCH, "Batch", ""]],
    fields: {
      sender: '"n/session/9"',
      epoch: "0",
      shape: "0",
      number: "0",
      records: "[]",
      again: { value: "false", unnoticed: "the group must change in the same moments; test/routing/repeats.test.ts has it" },
      events: {
        value: "0",
        unnoticed: "the Session object is told what it tells already; test/simulation/events.test.ts counts the calls",
      },
      receipts: { value: "[]", unnoticed: RECEIPTS },
    },
  },
  {
    name: "record to a Topic object",
    file: "src/objects/exchanges.ts",
    before: "const batch = ",
    read: "decodeBatch(bytes)",
    kind: "records",
    of: [
      [BATCH, "BatchRecord", ""],
      [BATCH, "RetainedAsk", ""],
    ],
    fields: {
      filter: '"nothing"',
      qos: "0",
      version: { value: "0", unnoticed: ANNOUNCED },
      lasting: "false",
      members: "0",
      online: { value: "0", unnoticed: ANNOUNCED },
      sessionObject: {
        value: '"n/session/9"',
        unnoticed: "a barrier that waits for another object is one that waits too little: sixty seeds had none that showed it",
      },
      life: '""',
      batch: { value: "0", unnoticed: SLOW },
      record: { value: "0", unnoticed: SLOW },
      batches: "[]",
      owner: { value: "undefined", unnoticed: OWNED },
      clientId: '"nobody"',
      id: "0",
      from: { value: '""', unnoticed: PAGES },
      message: { value: "undefined", unnoticed: "nothing goes on then; its fields stand for it" },
      live: { value: "false", unnoticed: "only Session objects get it" },
      shares: { value: "[]", unnoticed: "the same" },
    },
  },
  {
    name: "record to a Session object",
    file: "src/objects/incoming-batches.ts",
    read: "decodeBatch(bytes)",
    kind: "records",
    of: [
      [BATCH, "RetainedPage", ""],
      [BATCH, "Batch", "batch."],
    ],
    fields: {
      live: {
        value: "false",
        unnoticed: "hardly an object has members and other subscribers of one topic; test/simulation/hosts.test.ts has",
      },
      shares: "[]",
      "shares[].key": { value: "0", unnoticed: "any member will do; test/simulation/hosts.test.ts says which" },
      clientId: '"nobody"',
      id: "0",
      from: { value: '""', unnoticed: PAGES },
      next: { value: "undefined", unnoticed: PAGES },
      messages: "[]",
      "batch.sender": '"n/topic/9"',
      "batch.epoch": "0",
      "batch.shape": "0",
      "batch.number": "0",
      "batch.records": "[]",
      "batch.again": { value: "false", unnoticed: "a Session object does not look at it" },
      "batch.events": "0",
      "batch.receipts": { value: "[]", unnoticed: RECEIPTS },
    },
  },
  {
    name: "message in a batch",
    file: BATCH,
    before: "case RECORD_LIVE:\n      return { kind, message: ",
    read: "readMessage(reader)",
    kind: "message",
    of: MESSAGE_OF,
    fields: MESSAGE_FIELDS,
  },
  {
    name: "answer of a Session object",
    file: "src/objects/session-queues.ts",
    read: "decodeDeliveryAnswer(await this.#caller.call(sessionObject, batch))",
    of: [
      ["src/mqtt/delivery-answer.ts", "DeliveryAnswer", ""],
      ["src/mqtt/delivery-answer.ts", "Unwanted", "unwanted[]."],
    ],
    fields: {
      version: "0",
      unwanted: "[]",
      slow: { value: "[]", unnoticed: SLOW },
      counts: { value: "[]", unnoticed: RECEIPTS },
      "unwanted[].record": "0",
      "unwanted[].share": "undefined",
      "unwanted[].full": "false",
    },
  },
  {
    name: "answer of a Topic object",
    file: "src/objects/topic-queue.ts",
    read: "decodeExchangeAnswer(await exchange(batch))",
    of: [["src/mqtt/exchange-answer.ts", "ExchangeAnswer", ""]],
    // Without codes the batch was not handled, and would go out again for ever.
    fields: { life: '""', codes: "v.codes && new Uint8Array(v.codes.length)", counts: { value: "[]", unnoticed: RECEIPTS }, late: "[]" },
  },
];

/** The forgotten field of a value `v`, as source text that makes the value without it. */
function without(path: string, value: string): string {
  const [first, ...rest] = path.split(".") as [string, ...string[]];
  const name = first.replace("[]", "");
  const inner = rest.join(".");
  if (first.endsWith("[]")) return `{ ...v, ${name}: v.${name}?.map((v) => (${without(inner, value)})) }`;
  if (inner === "") return `{ ...v, ${name}: ${value} }`;
  return `{ ...v, ${name}: v.${name} && ((v) => (${without(inner, value)}))(v.${name}) }`;
}

function replacement({ kind, read }: Form, path: string, value: string): string {
  const made = without(path.replace(/^batch\./, ""), value);
  if (kind === "rows") return `(${read}).map((v) => (${made}))`;
  if (kind === "message") return `((v) => new v.constructor({ ...v, ${path}: ${value} }))(${read})`;
  if (kind === "records" && !path.startsWith("batch.")) {
    const field = path.replace(/\[\].*/, "");
    return `((b) => ({ ...b, records: b.records.map((v) => ("${field}" in v ? ${made} : v)) }))(${read})`;
  }
  return `((v) => v && (${made}))(${read})`;
}

export interface FieldMutation extends Mutation {
  /** Why no run notices. */
  readonly unnoticed: string | undefined;
}

/** One mistake for each field of each form. */
export const FIELD_MUTATIONS: readonly FieldMutation[] = FORMS.flatMap((form) =>
  Object.entries(form.fields).map(([path, forgotten]) => {
    const { value, seeds = SEEDS, unnoticed } = typeof forgotten === "string" ? { value: forgotten } : forgotten;
    const { name, file, read, before = "", as = "" } = form;
    const isReshaped = form.reshaped === true || (typeof forgotten === "object" && forgotten.reshaped === true);
    return {
      name: `${name}: forget ${path}`,
      file,
      find: before + read,
      replace: before + as + replacement(form, path, value),
      seeds,
      unnoticed,
      ...(isReshaped ? { reshaped: true as const } : {}),
    };
  }),
);
