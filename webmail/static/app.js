// What pages do better with a script; each page works without.
"use strict";
