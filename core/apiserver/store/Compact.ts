// Objects whose fields lie in themselves: one that grew field by field keeps most of them in a second block of memory, which every copy
// of it has too. Of hundreds of thousands of objects, and a thousand fresh versions a second, those blocks are what collecting costs.
// Owns the blank objects, one for each order of fields; refuses to look into values. Bound: SHAPES_MAX orders, the rest stays as it is.

const SHAPES_MAX = 4096

interface Shape {
  readonly next: Map<string, Shape>
  /** Parsed anew for each object: what is parsed is laid out whole. */
  readonly text: string
}

const first: Shape = { next: new Map(), text: "" }
let shapes = 0

const follow = (shape: Shape, name: string): Shape | undefined => {
  const known = shape.next.get(name)
  if (known !== undefined) return known
  // Assigned, that name would mean another thing.
  if (shapes >= SHAPES_MAX || name === "__proto__") return undefined
  shapes++
  const text = `${shape.text}${shape.text === "" ? "" : ","}${JSON.stringify(name)}:null`
  const made: Shape = { next: new Map(), text }
  shape.next.set(name, made)
  return made
}

/** The same fields with the same values in the same order, in an object of its own. */
export const compact = <A extends object>(fields: A): A => {
  let shape = first
  for (const name in fields) {
    const next = follow(shape, name)
    if (next === undefined) return fields
    shape = next
  }
  // SAFETY: the fields of A follow, all of them.
  const made = JSON.parse(`{${shape.text}}`) as A
  for (const name in fields) made[name] = fields[name]
  return made
}
