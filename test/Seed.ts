// The seed of a test's chance. In CI it is one and the same, so that a red run is the change's doing; at a desk each run has its own,
// which tests print, and a variable repeats one. Owns this rule, for fast-check's properties too; it is loaded before every test file.
import * as fc from "fast-check"

const CI_SEED = 20_781

/** The seed of a variable; in CI the fixed one, else a new one. */
export const runSeed = (variable = "SEED"): number => {
  const given = process.env[variable]
  if (given !== undefined) return Number(given)
  return process.env["CI"] === undefined ? Math.floor(Math.random() * 2 ** 31) : CI_SEED
}

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: runSeed() })
