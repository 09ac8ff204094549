// Prints the hash of the event log of a cluster's run by its seed: for the comparison with another process.
import { drawClusterCase, runClusterCase } from "#sim"
import { clusterDefinitions } from "../Definitions.ts"

console.log(runClusterCase(drawClusterCase(Number(process.argv[2])), { definitions: clusterDefinitions }).eventLogHash)
