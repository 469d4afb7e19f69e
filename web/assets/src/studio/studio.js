// The studio's page: files of a draft, the editor of the open one, findings.
