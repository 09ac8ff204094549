// Which fields of an object somebody reads, as a tree: so that of a body only these are made into values.
// Owns the tree; refuses to read.

/** A field, and what within it is read; nothing within means all of it. Items of a list are read alike. */
export interface Pick {
  readonly field: string
  readonly within: ReadonlyArray<Pick>
}

/** Paths of fields as a tree. A path that ends where another goes on reads all. */
export const picksOf = (paths: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<Pick> =>
  Array.from(
    Map.groupBy(paths, ([first]) => first),
    ([field, some]): Pick => ({
      field,
      within: some.some(({ length }) => length === 1) ? [] : picksOf(some.map((path) => path.slice(1)))
    })
  )
