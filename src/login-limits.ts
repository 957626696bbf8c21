/** The numbers of logins: value, unit, reason. All others are in limits.ts. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KIB = 1024;

/**
 * After each hash of a password nobody hashes for so long: one takes about 20 ms, in which an isolate does nothing else, so that hashing
 * takes a quarter of it at the most. Right passwords that were right before need no hash.
 */
export const HASH_PAUSE_MS = 60;

/** Addresses, and users at an address, whose attempts an isolate or object remembers: 200 bytes each. More are forgotten. */
export const ADDRESSES_COUNTED_MAX = 10_000;

/** A user name with more characters is counted by its hash: so many of them take no more than the above. */
export const NAME_COUNTED_CHARACTERS_MAX = 64;

/** A login that is not over after this time is one of a connection that is gone. */
export const LOGIN_LEASE_MS = 30 * SECOND;

/** Where others of an address are not over that may give back what a login needs, it waits so long, and looks so often. */
export const LOGIN_PATIENCE_MS = 5 * SECOND;
export const LOGIN_LOOK_MS = 50;

/** Logins that wait so, in all and of one address; more are refused (0x89, 3.x: return code 3) and may come again. */
export const LOGINS_WAITING_MAX = 512;
export const LOGINS_WAITING_PER_ADDRESS_MAX = 256;

/** That logins of an address are refused is told in the log no more often than this. */
export const REFUSED_LOGINS_TOLD_MS = 1 * MINUTE;

/** A hash that is not over after this time is one of a connection that is gone. */
export const HASH_LEASE_MS = 1 * SECOND;

/** Passwords that wait to be hashed, in all and of one address; more are refused (0x89, 3.x: return code 3) and may come again. */
export const HASHES_WAITING_MAX = 128;
export const HASHES_WAITING_PER_ADDRESS_MAX = 32;

/**
 * A token, characters: those of identity providers have one or two thousand, eight where they list many groups. What is longer is refused before
 * anything of it is read.
 */
export const TOKEN_CHARACTERS_MAX = 16 * KIB;

/** The name of a user that a token brings, UTF-8 bytes: it stands in the session's row and the socket's attachment. */
export const USER_NAME_BYTES_MAX = 1024;

/** The keys of an identity provider are asked for anew when they are this old: a key that it has withdrawn is good no longer than this. */
export const JWKS_FRESH_MS = 5 * MINUTE;

/**
 * Between two times that they are asked for: whoever makes up keys costs a provider no more than a request in this time for each isolate. A
 * key that is used sooner after it was published is refused so long.
 */
export const JWKS_COOL_DOWN_MS = 10 * SECOND;

/** For keys to come: a client whose key is not known waits so long. Below what clients give a broker to answer CONNECT (30 s). */
export const JWKS_TIMEOUT_MS = 3 * SECOND;

/**
 * How often somebody who waits for keys that another connection has asked for looks whether they have come; where more than a few wait, each looks
 * as much less often, up to the last. A look costs some microseconds.
 */
export const JWKS_LOOK_MS = 50;
export const JWKS_LOOKING_FEW = 64;
export const JWKS_LOOK_MS_MAX = 1 * SECOND;

/** A set of keys, bytes and number: providers have two to ten. */
export const JWKS_BYTES_MAX = 256 * KIB;
export const JWKS_KEYS_MAX = 64;

/** Keys that are tried for a token which does not say its key's name: each costs about 0.1 ms. */
export const KEYS_TRIED_MAX = 8;

/**
 * Right passwords that an isolate remembers, so that whoever comes back costs no hash, bytes: 20,000 of them. Each takes its name, two bytes a
 * character, and this besides; more are forgotten, those not used for long first.
 */
export const PASSWORDS_REMEMBERED_BYTES_MAX = 8 * KIB * KIB;
export const PASSWORD_REMEMBERED_BYTES = 200;

/**
 * What an isolate knows from the directory (a user, the bans) is good for so long: what is changed reaches new
 * connections within this time where their isolate has not been told, live ones at once.
 */
export const DIRECTORY_FRESH_MS = 10 * SECOND;

/** Users of all namespaces that an isolate remembers for that time; more are forgotten, those not used for long first: about 1 KiB each. */
export const DIRECTORY_REMEMBERED_MAX = 10_000;

/** Namespaces whose directories an isolate remembers; more are forgotten, those not used for long first. */
export const DIRECTORIES_REMEMBERED_MAX = 1000;

/** A login that began before a user was changed may arrive this much later: so long changes are remembered by whom they concern. */
export const DIRECTORY_CHANGES_MS = 6 * DIRECTORY_FRESH_MS;

/** Users of the directory of a namespace: a few hundred bytes each, which are read to be counted once after a start. */
export const DIRECTORY_USERS_MAX = 1_000_000;

/** Users in one request that adds or lists them: 1 MiB and 50 ms of an object. */
export const DIRECTORY_USERS_PER_CALL = 1000;

/** A Session object that could not be told is told again after this time, then twice as long each time, up to the second. */
export const DIRECTORY_RETRY_MS = 1 * SECOND;
export const DIRECTORY_RETRY_MS_MAX = 1 * MINUTE;

/** Session objects that are told at a time. */
export const DIRECTORY_CALLS_MAX = 16;

/** The answer to a call of the directory, milliseconds: later, the connection is refused. */
export const DIRECTORY_CALL_MS = 5 * SECOND;

/**
 * Objects of one client that have said that they are there are asked once in a round of a week whether anybody still is, each in one of its
 * slots: a call a client and week, and 8 times a day all their names are read.
 */
export const PRESENCE_SLOT_MS = 180 * MINUTE;
export const PRESENCE_SLOTS = 56;

/**
 * So many of their names are read by an alarm, and those asked whose turn it is, some 180: a second, and a minute where none can be reached. The next
 * alarm goes on at once; meanwhile others are told, and bans end.
 */
export const PRESENCES_PER_ALARM = 10_000;

/** Bans of a namespace: the list is passed on as a whole and looked through for each CONNECT. */
export const BANS_MAX = 1000;

/** Those of them by regular expressions: each is tried with each client, up to 0.2 ms. */
export const BAN_PATTERNS_MAX = 32;

/** Bans that FLAPPING may add by itself; the others are for people. */
export const FLAPPING_BANS_MAX = 500;

/** Client Identifiers whose connections are counted for FLAPPING at a time in an object; more are not counted. */
export const FLAPPING_COUNTED_MAX = 10_000;

export const BAN_WHO_CHARACTERS_MAX = 1024;
export const BAN_REASON_CHARACTERS_MAX = 256;

/**
 * Rights that come with a login, UTF-8 bytes of their text: some 20 to 40 rules. They stand in the session's row, in the attachment of its
 * socket (ATTACHMENT_BYTES_MAX) and in its will.
 */
export const GRANTS_BYTES_MAX = 4 * KIB;

/** The rights of a user of the directory, bytes: with what it adds to them they are those of a login. */
export const DIRECTORY_RIGHTS_BYTES_MAX = GRANTS_BYTES_MAX - 64;

/** Messages that one request of the API publishes. */
export const API_MESSAGES_MAX = 1000;

/** Tokens whose requests an isolate counts; more are forgotten, those that have not asked for long first: 200 bytes each. */
export const API_TOKENS_COUNTED_MAX = 10_000;

/** How often a stream of events says that it is there while nothing comes, ms: proxies end connections on which nothing goes for a minute. */
export const API_HEARTBEAT_MS = 20_000;

/** The body of a request of the API, bytes: a thousand users with some rules each. */
export const API_BODY_BYTES_MAX = 4 * 1024 * KIB;

/**
 * The body of a request that brings sessions from another broker, bytes: one with QUEUE_BYTES_MAX of messages in Base64, and what is in flight
 * besides. The Worker holds it as text and as bytes.
 */
export const PORTABLE_BODY_BYTES_MAX = 32 * 1024 * KIB;

/** Items on a page of the API. */
export const PAGE_LIMIT_MAX = 1000;

/** Topics of one list of rules, each a filter that a SUBSCRIBE is held against, in 20 to 100 ns. */
export const RULE_FILTERS_MAX = 1000;

/**
 * A text that a pattern of a rule or a ban is held against, characters: up to 1,000 steps each, once for a client. Client Identifiers and the
 * names of users are no longer; whoever has no login yet may say 65,535.
 */
export const PATTERN_TEXT_CHARACTERS_MAX = 1024;

/** Texts of grants whose rules are kept parsed, characters together: what is parsed takes some ten times as much memory. */
export const GRANTS_PARSED_CHARACTERS_MAX = 1024 * KIB;

/**
 * Rules that are kept with their placeholders filled in, bytes: those of 15,000 clients that have three of them, of 5,000 that have ten. For
 * others that is done again, in 10 to 50 microseconds, and with patterns in more.
 */
export const FILLED_RULES_BYTES_MAX = 16 * 1024 * KIB;

/** What a client's rules take, bytes, and each filter of them that has placeholders or belongs to a rule with conditions. */
export const FILLED_BYTES_OF_CLIENT = 400;
export const FILLED_BYTES_OF_FILTER = 250;

/** What a hook answers to one question, bytes: rights of GRANTS_BYTES_MAX and much beside them. */
export const HOOK_ANSWER_BYTES_MAX = 64 * KIB;

/** Questions to a hook at a time, of an isolate, and those of one address: nobody has all of them. */
export const HOOK_CALLS_MAX = 32;
export const HOOK_CALLS_PER_ADDRESS_MAX = 16;

/** Logins that wait until they may ask, in all and of one address, at most as long as an answer may take; more are refused (0x89, 3.x: return code 3) and may come again. */
export const HOOK_WAITING_MAX = 512;
export const HOOK_WAITING_PER_ADDRESS_MAX = 256;

/** A question to a hook that is not over so long after it must be is one of a connection that is gone. */
export const HOOK_LEASE_MS = 1 * SECOND;

/** How often one that waits looks whether it may ask. */
export const HOOK_LOOK_MS = 50;

/** After so many questions in a row that were not answered a hook is down: for a time nobody waits for it, then one asks again. */
export const HOOK_FAILURES_MAX = 5;
export const HOOK_COOL_DOWN_MS = 10 * SECOND;

/** What a hook does wrong is told again after this time: a line of the log for each login would be too many. */
export const HOOK_SILENCE_MS = 10 * SECOND;

/** What the hooks of a Worker's code do wrong: lines of an object's log in that time. Each may say something else. */
export const HOOK_LINES_MAX = 20;

/** An answer that may be kept is kept so long at the most, and so many bytes of them in an isolate. */
export const HOOK_CACHE_MS_MAX = 60 * MINUTE;
export const HOOK_CACHE_BYTES_MAX = 4 * KIB * KIB;

/** A hook is asked about the filters of one client for so long; of what has not been asked by then nothing is known. */
export const ASKED_MS_MAX = 10 * SECOND;

/** Questions about the filters of one client at a time. */
export const ASKED_AT_ONCE = 4;

/** A filter with more characters no hook is asked about, and is refused where no rule allows it: what hooks say of it would take its length in memory. */
export const ASKED_FILTER_CHARACTERS_MAX = 1024;

/**
 * What hooks have said of filters is remembered in an object, bytes: of 40,000 short ones, and of the longest more than one event may ask about. Each
 * takes its filter and the names of its client, two bytes a character, and this besides.
 */
export const ASKED_RIGHTS_BYTES_MAX = 16 * KIB * KIB;
export const ASKED_RIGHT_BYTES = 200;
