import { Option } from "commander";

/** Every command that talks to a running service finds it by its data folder. */
export function dataOption(): Option {
  return new Option("--data <dir>", "data folder of the service").env("HOLDFAST_DATA").default(".holdfast");
}
