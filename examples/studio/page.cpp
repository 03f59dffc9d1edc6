#include "page.hpp"

namespace studio {

const std::vector<page_file> &page_files()
{
    // Each .inc is a file of page/ between quotes; the makefile writes them.
    static const std::vector<page_file> files = {
        {"/", "text/html; charset=utf-8",
#include "index.html.inc"
        },
        {"/studio.css", "text/css; charset=utf-8",
#include "studio.css.inc"
        },
        {"/studio.js", "text/javascript; charset=utf-8",
#include "studio.js.inc"
        },
        {"/networks.json", "application/json",
#include "networks.json.inc"
        },
        {"/editor.js", "text/javascript; charset=utf-8",
#include "editor.js.inc"
        },
        {"/row.js", "text/javascript; charset=utf-8",
#include "row.js.inc"
        },
        {"/fields.js", "text/javascript; charset=utf-8",
#include "fields.js.inc"
        },
        {"/settings.js", "text/javascript; charset=utf-8",
#include "settings.js.inc"
        },
        {"/elements.js", "text/javascript; charset=utf-8",
#include "elements.js.inc"
        },
        {"/runs.js", "text/javascript; charset=utf-8",
#include "runs.js.inc"
        },
        {"/exports.js", "text/javascript; charset=utf-8",
#include "exports.js.inc"
        },
        {"/pad.js", "text/javascript; charset=utf-8",
#include "pad.js.inc"
        },
        {"/answer.js", "text/javascript; charset=utf-8",
#include "answer.js.inc"
        },
        {"/curves.js", "text/javascript; charset=utf-8",
#include "curves.js.inc"
        },
        {"/filters.js", "text/javascript; charset=utf-8",
#include "filters.js.inc"
        },
        {"/exam.js", "text/javascript; charset=utf-8",
#include "exam.js.inc"
        },
        {"/pixels.js", "text/javascript; charset=utf-8",
#include "pixels.js.inc"
        },
        {"/program.js", "text/javascript; charset=utf-8",
#include "program.js.inc"
        },
        {"/icon.svg", "image/svg+xml",
#include "icon.svg.inc"
        },
    };
    return files;
}

} // namespace studio
