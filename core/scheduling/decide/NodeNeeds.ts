// What pods ask of a node by itself, as text: shapes with the same text see all nodes alike, whatever other pods mean to them.
// Owns the text; images and volumes are left out, since what they mean changes with the nodes and with the pod.
import type { PodShape } from "../pod/PodShape.ts"
import type { ResourceVector } from "../pod/ResourceVector.ts"

const vectorText = ({ amounts, numbers }: ResourceVector): string =>
  numbers.map((number, at) => `${number}=${amounts[at]}`).join()

/** Everything that NodeJudge reads of a shape besides images and volumes. */
export const needsText = (shape: PodShape): string => (shape.needs ??= needsOf(shape))

const needsOf = ({ ports, requests, scored, spec }: PodShape): string =>
  JSON.stringify([
    vectorText(requests),
    vectorText(scored),
    spec.tolerations,
    spec.nodeSelector,
    spec.affinity?.nodeAffinity,
    ports
  ])
