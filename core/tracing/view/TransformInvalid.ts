// A transformation file that cannot be used.
// Owns the complaint, which names the field and the rule; refuses to show the file's content.
import { Schema } from "effect"

/** The file cannot be used; the message names the field and the rule. */
export class TransformInvalid extends Schema.TaggedError<TransformInvalid>()("TransformInvalid", {
  field: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.rule}`
  }
}
