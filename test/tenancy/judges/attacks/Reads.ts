// Reading what belongs to others: by upstream's names, over all namespaces, in every form of answer, by watches, selectors and pages.
import type { Attack } from "../Attack.ts"
import {
  collectionOf,
  LAIR,
  PLATFORM_MARK,
  PLATFORM_NAMESPACE,
  thingsOf,
  VAULT,
  VAULT_UPSTREAM,
  VICTIM_MARK
} from "../Parties.ts"

const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }
const PARTIAL = { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" }
const PROTOBUF = { accept: "application/vnd.kubernetes.protobuf" }

const victims = thingsOf(VICTIM_MARK)
const platforms = thingsOf(PLATFORM_MARK)
const shows = VICTIM_MARK

/** One object by the names that upstream has for it. */
const byName: ReadonlyArray<Attack> = [
  ...victims
    .filter(({ namespaced }) => namespaced)
    .map((thing): Attack => {
      const path = `${collectionOf(thing, VAULT_UPSTREAM)}/${VICTIM_MARK}-thing`
      return {
        name: `get the victim's ${thing.resource}`,
        path,
        codes: [404],
        control: { by: "platform", path, shows }
      }
    }),
  ...platforms.slice(0, 6).map((thing): Attack => {
    const path = `${collectionOf(thing, PLATFORM_NAMESPACE)}/${PLATFORM_MARK}-thing`
    const control = { by: "platform", path, shows: PLATFORM_MARK } as const
    return { name: `get the platform's ${thing.resource}`, path, codes: [404], control }
  }),
  ...victims
    .filter(({ namespaced }) => !namespaced)
    .flatMap((thing): ReadonlyArray<Attack> => {
      const own = `${collectionOf(thing, "")}/${VICTIM_MARK}-thing`
      const upstream = `${collectionOf(thing, "")}/ab-red-${VICTIM_MARK}-thing`
      return [
        {
          name: `get the victim's ${thing.resource} by its own name`,
          path: own,
          codes: [404],
          control: { by: "victim", path: own, shows }
        },
        {
          name: `get the victim's ${thing.resource} by upstream's`,
          path: upstream,
          codes: [404],
          control: { by: "platform", path: upstream, shows }
        }
      ]
    }),
  ...[
    `/api/v1/namespaces/${PLATFORM_NAMESPACE}`,
    `/apis/storage.k8s.io/v1/storageclasses/${PLATFORM_MARK}-thing`,
    `/apis/scheduling.k8s.io/v1/priorityclasses/${PLATFORM_MARK}-thing`,
    `/api/v1/persistentvolumes/${PLATFORM_MARK}-thing`,
    `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gems.${PLATFORM_MARK}.example`
  ].map((path): Attack => ({
    name: `get ${path}`,
    path,
    codes: [404],
    control: { by: "platform", path, shows: PLATFORM_MARK }
  })),
  {
    name: "get the victim's namespace",
    path: `/api/v1/namespaces/${VAULT_UPSTREAM}`,
    codes: [404],
    control: { by: "platform", path: `/api/v1/namespaces/${VAULT_UPSTREAM}`, shows }
  },
  {
    name: "get the victim's namespace by its own name",
    path: `/api/v1/namespaces/${VAULT}`,
    codes: [404],
    control: { by: "victim", path: `/api/v1/namespaces/${VAULT}`, shows }
  }
]

const inNamespace: ReadonlyArray<Attack> = victims
  .filter(({ namespaced }) => namespaced)
  .map((thing): Attack => {
    const path = collectionOf(thing, VAULT_UPSTREAM)
    return { name: `list ${thing.resource} in the victim's namespace`, path, control: { by: "platform", path, shows } }
  })

const everywhere = [
  ...victims.map(({ base, resource }) => `${base}/${resource}`),
  "/api/v1/events",
  "/apis/events.k8s.io/v1/events",
  "/api/v1/namespaces",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
]

const overAll: ReadonlyArray<Attack> = [
  ...everywhere.map((path): Attack => ({ name: `list ${path}`, path, control: { by: "platform", path, shows } })),
  ...everywhere.slice(0, 12).map((path): Attack => ({
    name: `table of ${path}`,
    path,
    headers: TABLE,
    control: { by: "platform", path, headers: TABLE, shows }
  })),
  ...["/api/v1/events", "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/rolebindings"].flatMap(
    (path): ReadonlyArray<Attack> => [
      { name: `table of ${path}`, path, headers: TABLE, control: { by: "platform", path, headers: TABLE, shows } },
      {
        name: `metadata of ${path}`,
        path,
        headers: PARTIAL,
        control: { by: "platform", path, headers: PARTIAL, shows }
      }
    ]
  ),
  ...["/api/v1/secrets", "/api/v1/pods", "/apis/apps/v1/deployments", "/api/v1/namespaces"].map((path): Attack => ({
    name: `protobuf of ${path}`,
    path,
    headers: PROTOBUF,
    control: { by: "platform", path, headers: PROTOBUF, shows }
  })),
  ...[
    "/api/v1/persistentvolumes",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/apis/scheduling.k8s.io/v1/priorityclasses"
  ].map((path): Attack => ({ name: `list ${path}`, path, control: { by: "platform", path, shows: PLATFORM_MARK } }))
]

const WATCH_MS = 700
const watch = (path: string, query = ""): string => `${path}?watch=1&resourceVersion=0&timeoutSeconds=1${query}`

const watches: ReadonlyArray<Attack> = [
  ...[
    "/api/v1/secrets",
    "/api/v1/pods",
    "/api/v1/events",
    "/api/v1/namespaces",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles"
  ].map((path): Attack => ({
    name: `watch ${path}`,
    path: watch(path),
    untilMs: WATCH_MS,
    control: { by: "platform", path: watch(path), untilMs: WATCH_MS, shows }
  })),
  {
    name: "a watch list with its first events",
    path: "/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1",
    untilMs: WATCH_MS,
    control: {
      by: "platform",
      path: "/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1",
      untilMs: WATCH_MS,
      shows
    }
  },
  ...["/api/v1/watch/secrets", "/api/v1/watch/namespaces", `/api/v1/watch/namespaces/${VAULT_UPSTREAM}/configmaps`].map(
    (path): Attack => ({
      name: `the old ${path}`,
      path: `${path}?timeoutSeconds=1`,
      untilMs: WATCH_MS,
      control: { by: "platform", path: `${path}?timeoutSeconds=1`, untilMs: WATCH_MS, shows }
    })
  )
]

const selecting = (path: string, query: string): Attack => ({
  name: `${path} where ${decodeURIComponent(query)}`,
  path: `${path}?${query}`,
  control: { by: "platform", path: `${path}?${query}`, shows }
})

const selectors: ReadonlyArray<Attack> = [
  selecting("/api/v1/configmaps", `fieldSelector=metadata.namespace%3D${VAULT_UPSTREAM}`),
  selecting("/api/v1/configmaps", `fieldSelector=metadata.name%3D${VICTIM_MARK}-thing`),
  selecting("/api/v1/pods", `fieldSelector=metadata.namespace%3D${VAULT_UPSTREAM},spec.nodeName!%3Dnone`),
  selecting("/api/v1/pods", "fieldSelector=spec.nodeName%3Dnode-1"),
  selecting("/api/v1/namespaces", `fieldSelector=metadata.name%3D${VAULT_UPSTREAM}`),
  selecting("/api/v1/namespaces", `labelSelector=kubernetes.io/metadata.name%3D${VAULT_UPSTREAM}`),
  selecting("/api/v1/namespaces", "labelSelector=kubezoo.io/tenant%3Dab-red"),
  selecting("/api/v1/secrets", `labelSelector=of%3D${VICTIM_MARK}`),
  selecting("/api/v1/events", `fieldSelector=involvedObject.namespace%3D${VAULT_UPSTREAM}`),
  selecting("/api/v1/events", `fieldSelector=involvedObject.name%3D${VICTIM_MARK}-thing`),
  selecting(
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    `fieldSelector=metadata.name%3Dab-red-${VICTIM_MARK}-thing`
  )
]

const pages: ReadonlyArray<Attack> = [
  "/api/v1/secrets",
  "/api/v1/configmaps",
  "/api/v1/namespaces",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles"
].map((path): Attack => ({
  name: `one item of ${path}, with its continue token and count`,
  path: `${path}?limit=1`,
  control: { by: "platform", path: `${path}?limit=500`, shows }
}))

/** Reads; LAIR is where the attacker is at home. */
export const reads: ReadonlyArray<Attack> = [
  ...byName,
  ...inNamespace,
  ...overAll,
  ...watches,
  ...selectors,
  ...pages,
  {
    name: "its own namespace shows its own alone",
    path: `/api/v1/namespaces/${LAIR}`,
    codes: [200],
    control: { by: "platform", path: `/api/v1/namespaces/red-ab-${LAIR}`, shows: "red-ab-" }
  }
]
