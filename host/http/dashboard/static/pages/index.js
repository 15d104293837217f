// All pages. A page is {path, title, view, nav}: `path` such as "/instances/:id", `title` a text or a
// function of the path's parameters, `view` a component that gets {params}, and `nav` what the
// navigation shows: {label, icon, order}.
import { page as compare } from "./compare.js";
import { page as instance } from "./instance.js";
import { page as offline } from "./offline.js";
import { page as overview } from "./overview.js";

export const pages = [overview, instance, compare, offline];
