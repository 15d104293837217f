// All pages. A page is {path, title, view, nav}: `path` such as "/instances/:id", `title` a text or a
// function of the path's parameters, `view` a component that gets {params}, and `nav` what the
// navigation shows: {label, icon, order}.
import { page as audit } from "./audit.js";
import { page as compare } from "./compare.js";
import { page as entities } from "./entities.js";
import { page as entity } from "./entity.js";
import { page as oneFunction } from "./function.js";
import { page as functions } from "./functions.js";
import { page as hosts } from "./hosts.js";
import { page as instance } from "./instance.js";
import { page as instances } from "./instances.js";
import { page as job } from "./job.js";
import { page as jobs } from "./jobs.js";
import { page as keys } from "./keys.js";
import { page as limits } from "./limits.js";
import { page as offline } from "./offline.js";
import { page as overview } from "./overview.js";
import { page as quarantine } from "./quarantine.js";
import { page as queue } from "./queue.js";
import { page as queues } from "./queues.js";
import { page as schedules } from "./schedules.js";

export const pages = [
  overview,
  instances, instance, compare, offline,
  entities, entity,
  functions, oneFunction,
  schedules,
  queues, queue,
  limits,
  quarantine,
  hosts,
  jobs, job,
  audit,
  keys,
];
