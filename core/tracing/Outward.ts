// Everything that the room shows to the outside, over one store: Jaeger's remote storage and query API, the original's endpoints, the
// answers and the page. Owns which part answers which path; refuses listeners and authentication, which who serves brings.
import type { Clockwork } from "#kube"
import type { GrpcMethod, HttpExchange } from "#net"
import { answerJson, askedOf, BadParameter } from "./api/Answering.ts"
import { OriginalApi } from "./api/OriginalApi.ts"
import { AnswersApi } from "./answers/AnswersApi.ts"
import type { FetchJson } from "./extension/Extensions.ts"
import { fetchJson as overHttp } from "./extension/FetchJsonAdapter.ts"
import { QueryApi } from "./jaeger/QueryApi.ts"
import { remoteStorage } from "./jaeger/RemoteStorage.ts"
import { TraceCatalog } from "./jaeger/TraceCatalog.ts"
import { Pages } from "./page/Pages.ts"
import type { MakeMount } from "./server/Route.ts"
import type { SpanStore } from "./store/SpanStore.ts"
import { DisplayModes } from "./view/DisplayModes.ts"
import { shippedModes } from "./view/ShippedModes.ts"
import { parseTransformFile } from "./view/TransformConfig.ts"
import { TraceViews } from "./view/TraceViews.ts"

export interface OutwardOptions {
  readonly clockwork: Pick<Clockwork, "now" | "defer" | "after">
  /** How other systems are asked for their traces; by default over HTTP. */
  readonly fetchJson?: FetchJson
  /** A transformation file's text; by default the modes that are shipped. */
  readonly modes?: string
  /** Bytes of the largest message of the remote storage. */
  readonly chunkBytesMax?: number
}

export interface Outward {
  /** Of jaeger.storage.v2. */
  readonly methods: ReadonlyArray<GrpcMethod>
  /** Answers every request; a path that is none of ours with 404. */
  readonly serve: (exchange: HttpExchange) => void
  readonly views: TraceViews
  readonly catalog: TraceCatalog
}

/** Throws TransformInvalid when the modes' text cannot be used. */
export const outward = (
  store: SpanStore,
  { chunkBytesMax, clockwork, fetchJson = overHttp, modes = shippedModes }: OutwardOptions
): Outward => {
  const nowUs = (): number => clockwork.now() * 1000
  const views = new TraceViews(store, new DisplayModes(parseTransformFile(modes)), { clockwork, fetchJson })
  const catalog = new TraceCatalog(store, views, nowUs)
  const parts = [
    new QueryApi(catalog, nowUs),
    new OriginalApi(store, views, nowUs),
    new AnswersApi(store, clockwork),
    new Pages(store, views, clockwork)
  ]
  return {
    methods: remoteStorage(catalog, chunkBytesMax),
    views,
    catalog,
    serve: (exchange) => {
      try {
        const asked = askedOf(exchange)
        if (!parts.some((part) => part.serve(asked))) answerJson(exchange, 404, { error: "no such path" })
      } catch (error) {
        if (!(error instanceof BadParameter)) throw error
        answerJson(exchange, 400, { error: error.message, parameter: error.parameter })
      }
    }
  }
}

/** All of it as a part of the tracing server. */
export const outwardMount =
  (modes?: string): MakeMount =>
  ({ clockwork, store }) => {
    const { methods, serve } = outward(store, { clockwork, ...(modes === undefined ? {} : { modes }) })
    return { methods, routes: [{ path: "/", access: "read", answer: serve }] }
  }
