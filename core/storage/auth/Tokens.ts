// What a token is to the rest of the store: proof of a user, given after a password was checked.
// Owns the port and the rule of who speaks; refuses the two kinds of tokens (SimpleTokens.ts, JwtTokens.ts).
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"

/** Who makes a call, and the auth revision that its proof is from. */
export interface Caller {
  readonly user: string
  readonly revision: number
}

/** A call without any proof. */
export const NOBODY: Caller = { user: "", revision: 0 }

export interface TokenProvider {
  /** Whose token it is; undefined when it is none, has expired or was taken back. */
  readonly holder: (token: string, revision: number) => Caller | undefined
  readonly assign: (user: string, revision: number) => string | EtcdFailure
  /** Takes back the tokens of a user whose password changed or who is gone, as far as they can be. */
  readonly invalidateUser: (user: string) => void
  /** Takes back all, when auth is disabled. */
  readonly clear: () => void
}

/** No tokens at all (`--auth-token=''`): nobody can authenticate by password. */
export const noTokens: TokenProvider = {
  holder: () => undefined,
  assign: () => Failure.authFailed,
  invalidateUser: () => undefined,
  clear: () => undefined
}
