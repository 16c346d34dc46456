// libcurl: HTTP to other services (used by Networking/HTTPClient).
#pragma once
#include <curl/curl.h>
