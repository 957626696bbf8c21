/** Who the console is for the broker, and where that is kept: in this tab until it is closed, and in this browser only where somebody asks for it. */

export interface Login {
  readonly namespace: string;
  /** Empty: without one. */
  readonly userName: string;
  readonly password: string;
  /** Opens the HTTP API; one of an identity provider is the password of MQTT, too, where there is none. */
  readonly token: string;
}

export const NOBODY: Login = { namespace: "default", userName: "", password: "", token: "" };

const KEY = "durable-mqtt login";

export interface Kept {
  readonly login: Login;
  /** It outlives the tab. */
  readonly stays: boolean;
}

export function keptLogin(): Kept | undefined {
  for (const [storage, stays] of storages()) {
    const login = parsed(storage.getItem(KEY));
    if (login !== undefined) return { login, stays };
  }
  return undefined;
}

export function keepLogin(login: Login, stays: boolean): void {
  forgetLogin();
  for (const [storage, isLasting] of storages()) if (isLasting === stays) storage.setItem(KEY, JSON.stringify(login));
}

export function forgetLogin(): void {
  for (const [storage] of storages()) storage.removeItem(KEY);
}

/** A browser may keep nothing at all, and says so by throwing. */
function storages(): (readonly [storage: Storage, isLasting: boolean])[] {
  try {
    return [
      [sessionStorage, false],
      [localStorage, true],
    ];
  } catch {
    return [];
  }
}

function parsed(text: string | null): Login | undefined {
  try {
    return text === null ? undefined : { ...NOBODY, ...(JSON.parse(text) as Partial<Login>) };
  } catch {
    return undefined;
  }
}

/** @returns what MQTT is shown as password; a token of an identity provider (JWT) stands in for one */
export function passwordOf({ password, token }: Login): string {
  return password === "" && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token) ? token : password;
}
