// The rules of a Table: its rows' objects are the kind's, its cells are text for people, but for the one with the object's name.
// Owns cells; the rows come one by one from AnswerStream.ts.
import type { KindShape } from "../names/TenantView.ts"
import { fullResource } from "../rules/CompiledRules.ts"
import { sortNode } from "../rules/Sorts.ts"
import { RuleNode } from "./RuleNode.ts"

/** Which cell holds the object's own name; -1 when none does. */
const nameColumn = (definitions: string): number => {
  try {
    const columns = JSON.parse(definitions) as ReadonlyArray<{ readonly name?: unknown; readonly format?: unknown }>
    return columns.findIndex(({ format, name }) => format === "name" || name === "Name")
  } catch {
    return -1
  }
}

const exact = new RuleNode()

/** The rules of a row under these column definitions (JSON); the object's own rules are given. */
export const rowNode = (shape: KindShape, definitions: string, object: RuleNode): RuleNode => {
  const cells = new RuleNode()
  cells.items = sortNode("text")
  cells.places = new Map([
    [nameColumn(definitions), shape.namespaced ? exact : sortNode(`name:${fullResource(shape)}`, "root")]
  ])
  return new RuleNode().field("cells", cells).field("object", object)
}
