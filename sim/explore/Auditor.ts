// Clients that do nothing but look: lists in pages and watches of several kinds, so that checkers have something to hold against the
// record whatever the cluster's own components happen to ask.
// Owns their habits; refuses to judge what they see.
import { type Client, gvr, Reflector } from "#kube"
import type { SimProcess } from "../time/SimProcess.ts"

/** The processes that audit. */
export const AUDITORS: ReadonlyArray<string> = ["auditor 0", "auditor 1"]

const LIST_EVERY_MS = 1700
const PAGE = 3
const pods = gvr("", "v1", "pods")
const configMaps = gvr("", "v1", "configmaps")

const sink = { replace: () => undefined, event: () => undefined }

/** Follows pods everywhere and configmaps of one namespace, and lists both page by page. */
export const startAuditor = (process: SimProcess, client: Client): void => {
  const { clockwork } = process
  const collections = [
    { resource: pods, namespace: "" },
    { resource: configMaps, namespace: "n1" }
  ]
  for (const collection of collections) new Reflector({ clockwork, client, collection }, sink).start()
  const page = (collection: (typeof collections)[number], token: string | undefined): void =>
    client.list(collection, { limit: PAGE, ...(token === undefined ? {} : { continue: token }) }, (answer) => {
      const next = "items" in answer ? answer.metadata.continue : undefined
      if (next !== undefined && next !== "") page(collection, next)
    })
  clockwork.every(LIST_EVERY_MS, () => {
    for (const collection of collections) page(collection, undefined)
  })
}
