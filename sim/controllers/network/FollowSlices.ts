// Which services to look at when their EndpointSlices change by another hand than ours.
// Owns that question for one controller's slices; refuses to look.
import type { Cancel, Informer, KubeObject } from "#kube"
import { serviceKeyOf, type SliceTracker } from "./SliceTracker.ts"

/** Tells the keys of services whose slices somebody else made, changed or deleted, until the answer is called. */
export const followSlices = (
  slices: Informer,
  tracker: SliceTracker,
  isOurs: (slice: KubeObject) => boolean,
  tell: (service: string) => void
): Cancel =>
  slices.addHandler({
    added: (slice) => {
      if (isOurs(slice) && tracker.isNews(slice)) tell(serviceKeyOf(slice))
    },
    updated: (before, after) => {
      if (serviceKeyOf(before) !== serviceKeyOf(after)) {
        tell(serviceKeyOf(before))
        tell(serviceKeyOf(after))
      } else if (isOurs(before) !== isOurs(after) || (isOurs(after) && tracker.isNews(after))) tell(serviceKeyOf(after))
    },
    deleted: (slice) => {
      if (isOurs(slice) && tracker.has(slice) && !tracker.gone(slice)) tell(serviceKeyOf(slice))
    }
  })
