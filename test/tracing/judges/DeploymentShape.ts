// What a Deployment's life must look like wherever it was lived: three Pods, three new ones for a new image, five, and none.
// Owns the expectation that a real cluster and a simulated one are held to; refuses to know how either is asked.

/** An object with what it made, as the answers tell it. */
export interface FamilyMember {
  readonly object: { readonly resource: string; readonly name: string }
  readonly gone: boolean
  readonly children: ReadonlyArray<FamilyMember>
}

/** Pods of each ReplicaSet: those that are there, and those that there ever were; the fewest first. */
export const shapeOf = (family: FamilyMember | undefined): ReadonlyArray<readonly [there: number, ever: number]> =>
  (family?.children ?? [])
    .filter(({ object }) => object.resource === "replicasets")
    .map(({ children }) => [children.filter(({ gone }) => !gone).length, children.length] as const)
    .sort(([a, x], [b, y]) => a - b || x - y)

export const STAGES = {
  started: "[[3,3]]",
  updated: "[[0,3],[3,3]]",
  grown: "[[0,3],[5,5]]",
  ended: "[[0,3],[0,5]]"
} as const

/** What was made below the Deployment, by the tags of its spans: resource and subresource with how many. */
export const createsOf = (tags: ReadonlyArray<Readonly<Record<string, string>>>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { resource, responseCode, subresource = "", tag } of tags) {
    if (tag !== "create" || Number(responseCode) >= 300) continue
    const name = subresource === "" ? resource : `${resource}/${subresource}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

export const CREATES = { deployments: 1, replicasets: 2, pods: 8, "pods/binding": 8 } as const
