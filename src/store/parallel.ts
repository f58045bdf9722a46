export { eachInParallel } from "../lib/parallel.ts";
