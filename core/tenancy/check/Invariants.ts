// What must hold of the translation, whatever the object: at least one property for each invariant of the specification.
// Owns the list and each one's meaning; Properties*.ts work them out, and whoever runs them chooses how often.
import type * as fc from "fast-check"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { patchProperties } from "./PatchProperties.ts"
import { answerProperties } from "./AnswerProperties.ts"
import { handlerProperties } from "./HandlerProperties.ts"
import { nameProperties } from "./NameProperties.ts"
import { objectProperties } from "./ObjectProperties.ts"
import { quotaProperties } from "./QuotaProperties.ts"
import { replayProperties } from "./ReplayProperties.ts"
import { subresourceProperties } from "./SubresourceProperties.ts"
import { teardownProperties } from "./TeardownProperties.ts"

/** A property: what is drawn, and what throws when it does not hold. */
export interface Invariant {
  /** As the specification counts them. */
  readonly number: number
  readonly name: string
  /** What it says. */
  readonly says: string
  /** Over the rewriting of tenant 111111. */
  readonly property: (rewriter: Rewriter) => fc.IProperty<[never]> | fc.IRawProperty<unknown>
}

/** The invariants of translation, in order. */
export const invariants: ReadonlyArray<Invariant> = [
  ...objectProperties,
  ...nameProperties,
  ...answerProperties,
  ...patchProperties,
  ...handlerProperties,
  ...quotaProperties,
  ...replayProperties,
  ...subresourceProperties,
  ...teardownProperties
].sort((a, b) => a.number - b.number)
