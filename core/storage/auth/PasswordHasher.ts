// The port to password hashing: slow on purpose, so it runs beside the loop and answers later.
// Owns the contract; the adapters stand where processes are made. Neither side ever logs a password or a hash.

/** Bytes of a password that bcrypt takes; etcd refuses longer ones. */
export const PASSWORD_MAX_BYTES = 72

export interface PasswordHasher {
  /** Answers later with the bcrypt hash (60 characters), or undefined when too many wait already. */
  readonly hash: (password: string, cost: number, done: (hash: Uint8Array | undefined) => void) => void
  /** Answers later whether the password has this hash, or undefined when too many wait already. */
  readonly compare: (password: string, hash: Uint8Array, done: (same: boolean | undefined) => void) => void
}
