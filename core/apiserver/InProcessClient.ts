// The Client port on a server of this process: no encoding, the server's own objects.
// Owns the translation of calls to requests and the promise that nothing is called back before a call returns. Refuses authorization:
// whoever is handed this client acts as its user.
import {
  apiVersionOf,
  ApiFailure,
  type Client,
  type Collection,
  type Done,
  type KubeList,
  type KubeObject,
  type Patch,
  type Target,
  type WatchListener,
  type WatchOptions
} from "#kube"
import type { Api } from "./Api.ts"
import type { ApiAnswer, ApiRequest, HeldEvent, RequestOptions, UserInfo, Verb } from "./Request.ts"
import { TurnQueue } from "./TurnQueue.ts"

type ListAnswer = Extract<ApiAnswer, { kind: "list" }>

/** A client that acts as a user. Unknown fields are ignored unless a call asks otherwise. */
export const inProcessClient = (api: Api, user: UserInfo): Client => {
  const turn = new TurnQueue(api.clockwork)
  const request = (
    verb: Verb,
    target: Collection | Target,
    options: RequestOptions,
    body?: KubeObject,
    patch?: Patch
  ): ApiRequest => ({
    verb,
    resource: target.resource,
    namespace: target.namespace,
    name: "name" in target ? target.name : "",
    subresource: "name" in target ? (target.subresource ?? "") : "",
    user,
    options,
    body,
    patch,
    memo: "memo" in target ? target.memo : undefined
  })
  const ask = (asked: ApiRequest, done: Done<KubeObject>): void =>
    api.execute(asked, (answer) => done(answer instanceof ApiFailure ? answer : objectOf(answer)))
  return {
    get: (target, options, done) => ask(request("get", target, options), done),
    list: (collection, options, done) =>
      api.execute(request("list", collection, options), (answer) =>
        done(answer instanceof ApiFailure ? answer : answer.kind === "list" ? listOf(answer) : EMPTY)
      ),
    watch: (collection, options, listener) =>
      watch(api, turn, request("watch", collection, watchOptions(options)), listener),
    create: (target, object, options, done) => ask(request("create", target, writeOptions(options), object), done),
    update: (target, object, options, done) => ask(request("update", target, writeOptions(options), object), done),
    patch: (target, patch, options, done) =>
      ask(request("patch", target, writeOptions(options), undefined, patch), done),
    delete: (target, options, done) => ask(request("delete", target, options), done),
    deleteCollection: (collection, options, selection, done) =>
      ask(request("deletecollection", collection, { ...selection, ...options }), done)
  }
}

const IGNORE: RequestOptions = { fieldValidation: "Ignore" }

const writeOptions = (options: RequestOptions): RequestOptions => {
  if (options.fieldValidation !== undefined) return options
  for (const _ in options) return { ...IGNORE, ...options }
  return IGNORE
}

/** A WatchList asks for a state that is not older than its resourceVersion, which HTTP has to say and this port does not. */
const watchOptions = (options: WatchOptions): RequestOptions =>
  options.sendInitialEvents === undefined ? options : { ...options, resourceVersionMatch: "NotOlderThan" }

const EMPTY: KubeList = { apiVersion: "v1", kind: "List", items: [], metadata: { resourceVersion: "" } }

const listOf = (answer: ListAnswer): KubeList => ({
  apiVersion: apiVersionOf(answer.definition),
  kind: answer.definition.listKind,
  items: answer.items.map(({ object }) => object),
  metadata: {
    resourceVersion: answer.resourceVersion,
    ...(answer.continue === undefined ? {} : { continue: answer.continue }),
    ...(answer.remainingItemCount === undefined ? {} : { remainingItemCount: answer.remainingItemCount })
  }
})

const objectOf = (answer: ApiAnswer): KubeObject =>
  answer.kind === "object" ? answer.held.object : (listOf(answer) as unknown as KubeObject)

/** Events wait for the end of the server's own turn, so that a listener never runs inside a commit. */
const watch = (api: Api, turn: TurnQueue, request: ApiRequest, listener: WatchListener): (() => void) => {
  let stopped = false
  const watching = api.watch(request, {
    event: ({ held: { object }, type }: HeldEvent) => {
      turn.push(() => {
        if (!stopped) listener.event({ type, object })
      })
      return true
    },
    ended: (failure) =>
      turn.push(() => {
        if (!stopped) listener.ended(failure)
        stopped = true
      })
  })
  return () => {
    stopped = true
    watching.stop()
  }
}
