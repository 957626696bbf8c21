/**
 * What a Worker implements that is bound to the broker as `AUTH` (a service binding) and says who may connect. Types alone, and no imports: a
 * project may copy this file or import its types.
 */

/** A client that wants in. */
export interface AuthenticationRequest {
  /** `default`, or that of the URL. */
  readonly namespace: string;
  /** Empty when the client left it to the broker. */
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly password: string | undefined;
  /** Where the client is; empty when that is not known. */
  readonly address: string;
  /** `?token=` of the URL, for browsers; empty when there is none. */
  readonly token: string;
  /** 3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0. */
  readonly protocolVersion: 3 | 4 | 5;
}

/** The same as the JSON of an HTTP service. */
export interface AuthenticationAnswer {
  /** `ignore`, the default: the next one of AUTH_CHAIN decides. */
  readonly result?: "allow" | "deny" | "ignore";
  /** May do everything. */
  readonly is_superuser?: boolean;
  /** What rules call `${client_attrs.NAME}`. */
  readonly client_attrs?: Readonly<Record<string, string>>;
  /** When the login ends, whole seconds since the epoch. */
  readonly expire_at?: number;
  /** The Client Identifier that the client has, whatever it says. */
  readonly clientid_override?: string;
  /** What it may do, in order: the first rule that matches decides. */
  readonly acl?: readonly AuthenticationRule[];
}

/** A rule that a login brings: as those of ACL. */
export interface AuthenticationRule {
  readonly permission: "allow" | "deny";
  readonly action: "publish" | "subscribe" | "receive" | "all";
  /** A Topic Filter, in which `${clientid}`, `${username}` and `${client_attrs.NAME}` may fill a level. */
  readonly topic: string;
  readonly qos?: 0 | 1 | 2 | readonly (0 | 1 | 2)[];
  readonly retain?: boolean | "all";
}

/** A client that is in and wants to subscribe to a filter of which no rule says anything. */
export interface AuthorizationRequest {
  readonly namespace: string;
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly address: string;
  /** What the login brought. */
  readonly clientAttributes: Readonly<Record<string, string>>;
  readonly action: "subscribe";
  /** A Topic Filter, without `$share/NAME/`. */
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** The entrypoint of the Worker. What it throws, or does not answer in time (HTTP_AUTH_TIMEOUT_MS), refuses that client and no other. */
export interface AuthenticationService {
  authenticate(request: AuthenticationRequest): Promise<AuthenticationAnswer>;
  /** Asked with AUTH_AUTHORIZE=true. `ignore`, the default: ACL_NO_MATCH decides. */
  authorize?(request: AuthorizationRequest): Promise<Pick<AuthenticationAnswer, "result">>;
}
