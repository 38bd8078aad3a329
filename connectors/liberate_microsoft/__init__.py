"""OneDrive for Business and SharePoint libraries as a source of files."""
