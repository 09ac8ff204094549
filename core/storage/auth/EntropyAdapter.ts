// Randomness that nobody can guess, for tokens: the operating system's.
// Owns nothing else; the simulator brings its own, seeded.
import { randomBytes } from "node:crypto"

/** This many unpredictable bytes. */
export type Entropy = (count: number) => Uint8Array

export const machineEntropy: Entropy = (count) => randomBytes(count)
